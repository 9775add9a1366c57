"""What each step of a pipeline is worth: Dice without that step, at a threshold that is chosen without it too."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from benchmark.analysis.compare_methods import REFERENCE_SEEDS, Comparable
from benchmark.analysis.summaries.lines import line, single_line
from benchmark.postprocessing.pipelines import PIPELINES, pipeline_named, pipeline_on
from benchmark.statistics.panel import Choice, Mean
from benchmark.statistics.primary_endpoint import Endpoint
from benchmark.storage.run_record import Scoring
from benchmark.storage.summary_tables import SummaryLine
from datasets.grid import Grid

METRIC = "dice"
OUTSIDE = "outside the box"


def ablated(scoring: Scoring, endpoint: Endpoint, grid: Grid) -> Scoring:
    """Scoring that adds, to each pipeline, those that lack one of its steps on a grid, and what the table needs."""
    pipelines = [name for whole in scoring.postprocessing for name in (whole, *_parts(whole, grid.spacing).values())]
    protocols = dict.fromkeys([*scoring.protocols, endpoint.protocol])
    metrics = dict.fromkeys([*scoring.metrics, METRIC])
    return replace(
        scoring, postprocessing=tuple(dict.fromkeys(pipelines)), protocols=tuple(protocols), metrics=tuple(metrics)
    )


def ablation_lines(run: Comparable) -> Iterator[SummaryLine]:
    """Mean Dice with each step left out, `group` saying which; "whole" for the pipeline as it is.

    The threshold is the endpoint's, chosen for the pipeline as it is without the step; the perfect map has none.
    "outside the box" is the part of the cohort's lesion volume that the grid cuts off and that no method can find.
    """
    for pipeline in PIPELINES.usable():
        parts = {"whole": pipeline} | {f"no {step}": name for step, name in _parts(pipeline, run.edge).items()}
        for dataset in run.seeds:
            for split in dict.fromkeys(choice.split for choice in run.grouped.choices if choice.dataset == dataset):
                found = [one for part, name in parts.items() for one in _part_lines(run, dataset, split, part, name)]
                if {one.group for one in found} > {"whole"}:
                    yield from (replace(one, kind="ablation", postprocessing=pipeline) for one in found)
                    yield from _cut_off(run, dataset, split, pipeline)


def ablation_text(lines: Sequence[SummaryLine]) -> str:
    """A line for each cohort, split, pipeline and method, a column for each step, as Markdown; missing is missing."""
    from tabulate import tabulate

    columns = list(dict.fromkeys(one.group for one in lines))
    rows: dict[tuple[str, ...], dict[str, float]] = {}
    cut_off: dict[tuple[str, ...], float] = {}
    for one in lines:
        where = (one.dataset, one.split, one.postprocessing)
        if one.method:
            rows.setdefault((*where, one.method), {})[one.group] = one.mean
            rows[*where, one.method]["patients"] = one.n + one.left_out
        else:
            cut_off[where] = one.mean
    columns = [*(name for name in columns if name != OUTSIDE), "patients"]
    body = [
        [*place, *(numbers.get(name) for name in columns), cut_off.get(place[:3])] for place, numbers in rows.items()
    ]
    headers = ["dataset", "split", "pipeline", "method", *columns, OUTSIDE]
    return tabulate(body, headers, tablefmt="pipe", floatfmt=".3f")


def _part_lines(run: Comparable, dataset: str, split: str, part: str, name: str) -> Iterator[SummaryLine]:
    for rows, seeds, protocol in (
        (run.grouped, run.all_seeds(dataset), run.endpoint.protocol),
        (run.reference, REFERENCE_SEEDS, ""),
    ):
        choice = Choice(dataset, METRIC, name, protocol, split)
        for panel in rows.panels(choice, seeds).values() if not rows.of(choice).empty else ():
            if not panel.is_empty:
                yield replace(line(run, choice, panel, "lesion"), group=part)


def _cut_off(run: Comparable, dataset: str, split: str, pipeline: str) -> Iterator[SummaryLine]:
    """The part of the lesion volume that lies outside the grid's box."""
    means: dict[str, Mean] = {}
    for metric in ("lesion_outside_grid_ml", "lesion_ml"):
        choice = Choice(dataset, metric, "", "", split)
        for rows, seeds in ((run.reference, REFERENCE_SEEDS), (run.grouped, run.all_seeds(dataset))):
            if not rows.of(choice).empty:
                known = [panel for panel in rows.panels(choice, seeds).values() if not panel.is_empty]
                means.setdefault(metric, known[0].mean)
    if len(means) == 2 and means["lesion_ml"].value > 0:
        share = means["lesion_outside_grid_ml"].value / means["lesion_ml"].value
        choice = Choice(dataset, "lesion_outside_grid_ml", pipeline, "", split)
        yield single_line(run, choice, "", share, kind="ablation", group=OUTSIDE, n=means["lesion_ml"].n)


def _parts(pipeline: str, edge: float) -> dict[str, str]:
    """The names of a pipeline without each of the steps that have an effect on a grid, by the step."""
    parts = pipeline_named(pipeline).without_each_step(edge)
    return {step: pipeline_on(part.name, edge).name for step, part in parts.items()}

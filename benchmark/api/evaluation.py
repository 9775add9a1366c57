"""evaluate: the kept maps of a run scored, without inference; and what is asked of a scoring."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.api.runs import Run
from datasets.errors import check_name

if TYPE_CHECKING:
    from benchmark.storage.folder import RunFolder
    from benchmark.storage.run_record import Scoring
    from benchmark.study.cells import Cell
    from benchmark.study.study import Study

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Evaluated:
    """A run that has been scored.

    Attributes:
        failed: cells that could not be scored.
        ablation: what each step of the post-processing is worth, as text; "" where it was not asked for.
        written: tables and reports that were made anew.
    """

    run: Run
    failed: "tuple[Cell, ...]"
    ablation: str
    written: tuple[Path, ...]


def evaluate(
    path: str | Path,
    *,
    data: str | Path | None = None,
    postprocessing: str | None = None,
    protocols: str | None = None,
    metrics: str | None = None,
    scores: str | None = None,
    ablation: str | None = None,
    out: str | Path | None = None,
    pictures: str | None = None,
) -> Evaluated:
    """Score the kept maps of a run without inference: as it was scored before, and as named here.

    Rows are added to those that the run has. Its tables and reports are made again.

    Args:
        data: where the cohorts are now; default: where they were.
        postprocessing, protocols, metrics: comma-separated names.
        scores: names of anomaly scores, made of the kept reconstructions.
        ablation: "postprocessing": each pipeline once without each of its steps, too.
        out: a new run folder with the same maps, scored by what is named here alone.
        pictures: cohorts whose slices the report may show; "" for none.

    Raises:
        UserError: a name is not known, or run or data cannot be used.

    Examples:
        >>> scored = evaluate("first", protocols="oracle-case", postprocessing="none")
        >>> scored.failed
        ()
        >>> "oracle-case" in set(scored.run.rows["protocol"])
        True
    """
    from benchmark.analysis.ablation import ablated, ablation_lines, ablation_text
    from benchmark.analysis.compare_methods import Comparable
    from benchmark.analysis.summaries.make import summarise
    from benchmark.execution.merge import merge_runs
    from benchmark.execution.score_cells import check_residuals, evaluate_study
    from benchmark.statistics.primary_endpoint import read_endpoint
    from benchmark.storage.folder import create_run, open_run
    from benchmark.storage.run_record import keep_pictures, kept_scoring, missing_plugins_named, reopen
    from benchmark.storage.storage_errors import as_storage_error
    from benchmark.storage.summary_tables import SummaryLine, add_lines, summary_path
    from reports.api import remove_reports, write_report

    run, endpoint = open_run(Path(path)), read_endpoint()
    where = None if data is None else Path(data)
    with missing_plugins_named(run):
        asked = asked_scoring(postprocessing, protocols, kept_scoring(run), metrics, scores)
    study = reopen(run, where)
    scoring = scoring_on(study, asked)
    if ablation is not None:
        check_name("ablation of", ablation, ("postprocessing",))
        scoring = ablated(scoring, endpoint, study.grid)
    check_residuals(study, run, scoring)
    if out is None:
        scoring = kept_scoring(run) | scoring
    else:
        merge_runs([run], create_run(Path(out)))
        run = open_run(Path(out))
    with as_storage_error(run.root):
        formats = remove_reports(run)
        keep_pictures(run, names(pictures))
        failed = evaluate_study(study, run, scoring)
        summarise(run, where)
        told = ""
        if ablation is not None:
            lines = list(ablation_lines(Comparable(run, endpoint)))
            add_lines(summary_path(run.root), SummaryLine, lines, ("kind",))
            told = ablation_text(lines)
        reports = write_report(run, where, formats=formats)
    written = (run.root / "rows.csv", summary_path(run.root), *reports)
    return Evaluated(Run(run, where), tuple(failed), told, written)


def current_reports(
    run: "RunFolder", data: Path | None, formats: Sequence[str] = ("md",), *, volumes: bool = True
) -> tuple[list[Path], bool]:
    """The paths of a run's reports and whether they stood already: what would not change is not written again.

    Raises:
        MissingData: nothing has been scored yet.
    """
    from benchmark.analysis.summaries.make import summarise
    from reports.api import ingredients, keep_reports, standing_reports, write_report

    standing = standing_reports(run, formats, ingredients(run, data, volumes=volumes))
    if standing:
        return standing, True
    summarise(run, data)
    made_of = ingredients(run, data, volumes=volumes)
    paths = write_report(run, data, formats=formats, volumes=volumes)
    keep_reports(run, paths, made_of)
    return paths, False


def asked_scoring(
    postprocessing: str | None,
    protocols: str | None,
    default: "Scoring",
    metrics: str | None = None,
    scores: str | None = None,
) -> "Scoring":
    """What is named, each name known; what is left open is the default's.

    Each of `scores` comes before each of the pipelines, which stay on the maps' own scores too.
    """
    from benchmark.metrics import COST, METRICS
    from benchmark.postprocessing.pipelines import pipeline_named, scored_by
    from benchmark.storage.run_record import Scoring
    from benchmark.study.protocols import protocol_named
    from datasets.cohorts.catalog import dataset

    pipelines = names(postprocessing) or default.postprocessing
    chosen = names(protocols) or default.protocols
    measured = names(metrics) or default.metrics
    for pipeline in pipelines:
        pipeline_named(pipeline)
    for protocol in chosen:
        source = protocol_named(protocol).cohort
        if source:
            dataset(source)
    for metric in measured:
        check_name("metric", metric, [name for name in METRICS if name not in COST])
        METRICS[metric]  # a plugin's that cannot be used is refused here
    rescored = scored_by(names(scores) or (), pipelines)
    return Scoring(tuple(dict.fromkeys([*pipelines, *rescored])), chosen, measured)


def scoring_on(study: "Study", asked: "Scoring") -> "Scoring":
    """What is asked for on a study's grid; what has no effect there is logged."""
    from benchmark.postprocessing.pipelines import idle_text

    told = idle_text(asked.postprocessing, study.grid.spacing)
    if told:
        log.info("%s", told)
    return asked.on(study.grid)


def names(text: str | None) -> tuple[str, ...] | None:
    """Comma-separated names, each once."""
    return None if text is None else tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))

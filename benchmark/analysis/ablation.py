"""What each step of a post-processing is worth: the pipeline once without it, under a threshold of its own."""

from dataclasses import replace
from typing import TYPE_CHECKING

from benchmark.postprocessing.pipelines import PIPELINES, pipeline_named
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import read_rows
from benchmark.storage.run_record import Scoring
from datasets.io.atomic import written_whole

if TYPE_CHECKING:
    import pandas as pd

INDEX = ["dataset", "split", "chain", "method"]


def ablated(scoring: Scoring) -> Scoring:
    """The same with every pipeline also without each of its steps, and with what the table needs."""
    pipelines = [name for whole in scoring.postprocessing for name in (whole, *_parts(whole).values())]
    protocols = dict.fromkeys([*scoring.protocols, read_endpoint().protocol])
    metrics = dict.fromkeys([*scoring.metrics, "dice"])
    return replace(
        scoring, postprocessing=tuple(dict.fromkeys(pipelines)), protocols=tuple(protocols), metrics=tuple(metrics)
    )


def write_ablation(run: RunFolder) -> str:
    """Write `ablation.csv` below a run, mean Dice over patients with each step left out, and say it in Markdown.

    A cell is the mean over training seeds of the mean over patients, at the endpoint's threshold of the pipeline as it
    is without the step; the perfect map has no threshold. Missing is missing. `outside the box` is the part of
    the cohort's lesion volume that the grid cuts off and that no method can find.
    """
    table = ablation_table(read_rows(run.root / "rows.csv"))
    with written_whole(run.root / "ablation.csv") as beside:
        table.to_csv(beside, index=False, lineterminator="\n")
    return str(table.round(3).to_markdown(index=False))


def ablation_table(rows: "pd.DataFrame") -> "pd.DataFrame":
    """A line a cohort, split, pipeline (`chain`) and method, a column a step that is left out."""
    import pandas as pd

    rows = rows[rows["shift"] == "none"]
    dice = rows[(rows["metric"] == "dice") & rows["protocol"].isin([read_endpoint().protocol, ""])]
    lines = []
    for pipeline in PIPELINES.usable():
        parts = {"whole": pipeline, **{f"no {step}": name for step, name in _parts(pipeline).items()}}
        part = dice[dice["postprocessing"].isin(parts.values())]
        if len(parts) == 1 or part["postprocessing"].nunique() < 2:
            continue
        named = {name: step for step, name in parts.items()}
        part = part.assign(left_out=part["postprocessing"].map(named), chain=pipeline)
        patients = part.groupby([*INDEX, "left_out", "seed", "subject_id"], dropna=False)["value"].mean()
        means = patients.groupby([*INDEX, "left_out", "seed"], dropna=False).mean()
        wide = means.groupby([*INDEX, "left_out"]).mean().unstack("left_out").reindex(columns=list(parts))
        count = part.groupby(INDEX)["subject_id"].nunique().rename("patients")
        lines.append(wide.join(count).reset_index())
    if not lines:
        return pd.DataFrame(columns=[*INDEX, "whole", "patients", "outside the box"])
    table = pd.concat(lines, ignore_index=True)
    return table.merge(_cut_off(rows), on=["dataset", "split"], how="left")


def _cut_off(rows: "pd.DataFrame") -> "pd.DataFrame":
    """For each cohort and split the part of the lesion volume that lies outside the grid's box."""
    sizes = rows[rows["metric"].isin(["lesion_ml", "lesion_outside_grid_ml"])]
    sizes = sizes.drop_duplicates(["dataset", "split", "case_id", "metric"])
    sums = sizes.pivot_table(index=["dataset", "split"], columns="metric", values="value", aggfunc="sum")
    if sums.empty:
        return sums.reset_index().assign(**{"outside the box": []})
    share = sums["lesion_outside_grid_ml"] / sums["lesion_ml"]
    return share.rename("outside the box").reset_index()


def _parts(pipeline: str) -> dict[str, str]:
    """The names of a pipeline without each of its steps, by the step."""
    return {step: part.name for step, part in pipeline_named(pipeline).without_each_step().items()}

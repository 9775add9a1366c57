"""Rows written by hand, and cohorts made of them."""

from collections.abc import Sequence
from dataclasses import asdict, astuple, fields, replace
from math import nan
from pathlib import Path
from typing import Literal

import pandas as pd

from benchmark.analysis.compare_methods import Comparable, Facts
from benchmark.analysis.summaries.costs import cost_lines
from benchmark.analysis.summaries.means import mean_lines
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import COLUMNS, Row
from benchmark.storage.summary_tables import SummaryLine
from reports.model.cohort_results import CohortResults

BLANK = Row("ae", "lgg", "t1", "none", 0.0, 0, 0, "test", "", "", "", "", "", nan, "key")


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    table = pd.DataFrame([astuple(row) for row in rows], columns=list(COLUMNS))
    return table.astype({"seed": float, "sampling_seed": float})


def row(method: str, case: str, metric: str, value: float, choice: str = "", *, seed: int | None = 0) -> Row:
    """`choice` is "", "pipeline" or "pipeline protocol"; a patient's scans are called p1, p1b, ..."""
    pipeline, _, protocol = choice.partition(" ")
    return replace(
        BLANK, method=method, case_id=case, subject_id=case[:2], metric=metric, value=value, seed=seed,
        postprocessing=pipeline, protocol=protocol, split="test" if metric != "threshold" else "",
    )  # fmt: skip


def lesion_rows(method: str, dice: Sequence[float], auprc: Sequence[float], *, seed: int | None = 0) -> list[Row]:
    """All that one fit leaves of the patients p0, p1, ..."""
    rows = [row(method, "", "threshold", 0.5, "paper lesion-val", seed=seed)]
    for index, (overlap, area) in enumerate(zip(dice, auprc, strict=True)):
        case = f"p{index}"
        rows += [
            row(method, case, "lesion_ml", 10.0 * (index + 1), seed=seed),
            row(method, case, "lesion_outside_grid_ml", float(index), seed=seed),
            row(method, case, "lesion_lost_ml", 0.25 * index, seed=seed),
            row(method, case, "auprc", area, "paper", seed=seed),
            row(method, case, "auroc", 0.75, "paper", seed=seed),
            row(method, case, "dice", overlap, "paper lesion-val", seed=seed),
            row(method, case, "precision", overlap or nan, "paper lesion-val", seed=seed),
            row(method, case, "recall", overlap, "paper lesion-val", seed=seed),
            row(method, case, "alarm_fraction_far", 0.01, "paper lesion-val", seed=seed),
        ]
    return [*rows, row(method, "", "auprc_pooled", 0.4, "paper", seed=seed)]


def perfect_rows(patients: int = 2) -> list[Row]:
    metrics = {"dice": 0.9, "precision": 1.0, "recall": 0.8}
    return [
        row("perfect-map", case, name, value, "paper", seed=None)
        for case in (f"p{index}" for index in range(patients))
        for name, value in metrics.items()
    ]


def cohort(
    rows: Sequence[Row], timing: Sequence[Row] = (), cases: Literal["lesion", "healthy"] = "lesion", **seeds: int
) -> CohortResults:
    """The results of one cohort, summarised as those of a run are."""
    comparable = ByHand(RunFolder(Path()), read_endpoint())
    planned = {"lgg": {method: list(range(count)) for method, count in seeds.items()}}
    known = {"rows": frame(rows), "facts": {"lgg": Facts("t1", "")}, "seeds": planned, "seeds_aside": {}}
    vars(comparable).update(known, healthy=dict.fromkeys(seeds, ("ixi",)))
    lines = [*mean_lines(comparable, []), *cost_lines(comparable, frame(timing), [])]
    table = pd.DataFrame(map(asdict, lines), columns=[field.name for field in fields(SummaryLine)])
    return CohortResults(frame(rows), table[table["cases"].isin([cases, ""])], seeds, ["thresh"])


class ByHand(Comparable):
    """Of rows that belong to no run."""

    split = "test"
    edge = 2.0

"""Rows written by hand, and cohorts made of them."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmark.analysis.compare_methods import Comparable, Facts
from benchmark.analysis.summaries.costs import cost_lines
from benchmark.analysis.summaries.means import mean_lines
from benchmark.analysis.summaries.shift_responses import shift_lines
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import COLUMNS, Row
from benchmark.storage.run_record import Scoring
from benchmark.storage.summary_tables import SummaryLine, read_lines, write_lines
from reports.model.cohort_results import CohortResults

BLANK = Row("ae", "lgg", "t1", "none", 0.0, 0, 0, "test", "", "", "", "", "", nan, "key")


def frame(rows: Sequence[Row]) -> pd.DataFrame:
    table = pd.DataFrame([astuple(row) for row in rows], columns=list(COLUMNS))
    return table.astype({"seed": float, "sampling_seed": float})


def row(method: str, case: str, metric: str, value: float, choice: str = "", *, seed: int | None = 0) -> Row:
    """`choice` is "", "chain" or "chain protocol"; a patient's scans are called p1, p1b, ..."""
    chain, _, protocol = choice.partition(" ")
    return replace(
        BLANK, method=method, case_id=case, subject_id=case[:2], metric=metric, value=value, seed=seed,
        postprocessing=chain, protocol=protocol, split="test" if metric != "threshold" else "",
    )  # fmt: skip


def lesion_rows(method: str, dice: Sequence[float], auprc: Sequence[float], *, seed: int | None = 0) -> list[Row]:
    """All that one fit leaves of the patients p0, p1, ..."""
    rows = [row(method, "", "threshold", 0.5, "paper lesion-val", seed=seed)]
    for index, (overlap, area) in enumerate(zip(dice, auprc, strict=True)):
        case = f"p{index}"
        rows += [
            row(method, case, "lesion_ml", 10.0 * (index + 1), seed=seed),
            row(method, case, "lesion_outside_grid_ml", float(index), seed=seed),
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


class RowsByHand(Comparable):
    """A run of which nothing is kept but its rows, on one cohort."""

    def __init__(self, rows: Sequence[Row], seeds: Mapping[str, int]) -> None:
        super().__init__(RunFolder(Path("nowhere")), read_endpoint())
        self.__dict__["rows"] = frame(rows)
        self.__dict__["seeds"] = {BLANK.dataset: {method: list(range(count)) for method, count in seeds.items()}}
        self.__dict__["labelled_seeds"] = {}
        self.__dict__["scoring"] = Scoring(("light", "paper"), ("lesion-val", "healthy-fpr-1"))
        shifts = dict.fromkeys(one.shift for one in rows if "none" not in one.shift and "+" not in one.shift)
        self.__dict__["shifts"] = list(shifts)
        self.__dict__["facts"] = {BLANK.dataset: Facts(BLANK.sequence, "ixi", "a grid")}

    @property
    def split(self) -> str:
        return BLANK.split


def summary_of(rows: Sequence[Row], timing: Sequence[Row] = (), **seeds: int) -> pd.DataFrame:
    """The lines of `summary.csv` without intervals."""
    run = RowsByHand(rows, seeds)
    lines = [*mean_lines(run, []), *shift_lines(run), *(cost_lines(run, frame(timing), []) if timing else ())]
    with TemporaryDirectory() as folder:
        write_lines(Path(folder) / "summary.csv", SummaryLine, lines)
        return read_lines(Path(folder) / "summary.csv", SummaryLine)


def cohort(rows: Sequence[Row], timing: Sequence[Row] = (), **seeds: int) -> CohortResults:
    return CohortResults(frame(rows), summary_of(rows, timing, **seeds), seeds, ["thresh"])

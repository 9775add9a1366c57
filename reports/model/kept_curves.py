"""Curves and strata that the evaluation left in cells: read cell by cell, a method and seed beside every line."""

from collections.abc import Iterator

import pandas as pd

from benchmark.storage.folder import RunFolder
from benchmark.study.cells import Cell
from reports.model.run_results import Findings

NUMBERS = (
    "mean",
    "cases",
    "patients",
    "recall",
    "precision",
    "lesion_recall",
    "false_alarms_a_scan",
    "lesions",
    "scans",
)
TEXT = ("postprocessing", "protocol", "split", "stratum", "of", "metric")


def kept_lines(findings: Findings, cohort: str, name: str) -> pd.DataFrame:
    """The lines of `NAME.csv` of every unshifted cell of a cohort, in the split that is reported.

    Returns:
        A frame with `method` and `seed` beside the file's columns; empty where no cell has the file.
    """
    frames = list(_frames(findings.run, [cell for cell in findings.cells if cell.cohort.dataset == cohort], name))
    if not frames:
        return pd.DataFrame(columns=["method", "seed", *TEXT, *NUMBERS])
    whole = pd.concat(frames, ignore_index=True)
    return whole[whole["split"] == findings.split]


def _frames(run: RunFolder, cells: list[Cell], name: str) -> Iterator[pd.DataFrame]:
    for cell in cells:
        path = run.cell(cell) / f"{name}.csv"
        if path.is_file():
            text = dict.fromkeys(TEXT, str)
            frame = pd.read_csv(path, dtype=text, na_values=["nan"], keep_default_na=False)
            yield frame.assign(method=cell.fit.method, seed=cell.fit.seed)

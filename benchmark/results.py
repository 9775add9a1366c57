"""Row: one number of one case under one choice of everything; read and written as CSV."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING

from benchmark.runfolder import written_whole
from benchmark.study import Cell
from datasets.errors import BadFile

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Row:
    """One number. Pooled metrics have an empty `case_id`; metrics without threshold an empty `protocol`.

    Attributes:
        seed, sampling_seed: None for the perfect map, which has neither.
        value: NaN where the metric is undefined, by decision.
        key: of the evaluation (or of the cell, for what no protocol enters).
    """

    method: str
    dataset: str
    sequence: str
    shift: str
    severity: float
    seed: int | None
    sampling_seed: int | None
    split: str
    postprocessing: str
    protocol: str
    case_id: str
    subject_id: str
    metric: str
    value: float
    key: str


COLUMNS = tuple(field.name for field in fields(Row))
_NUMBERS = ("severity", "seed", "sampling_seed", "value")


def blank_row(cell: Cell) -> Row:
    """A row of this cell with everything but the case and the number."""
    return Row(
        method=cell.fit.method,
        dataset=cell.cohort.dataset,
        sequence=cell.cohort.sequence,
        shift=cell.shift.name,
        severity=cell.shift.severity,
        seed=cell.fit.seed,
        sampling_seed=cell.sampling_seed,
        split="",
        postprocessing="",
        protocol="",
        case_id="",
        subject_id="",
        metric="",
        value=float("nan"),
        key=cell.key,
    )


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as CSV, one at a time; numbers keep every digit. Returns how many there were."""
    count = 0
    with written_whole(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            writer.writerow([getattr(row, column) for column in COLUMNS])
            count += 1
    return count


def join_rows(parts: Iterable[Path], whole: Path) -> None:
    """One table of the rows of many files, in the order given."""
    with written_whole(whole) as beside, beside.open("w", encoding="utf-8", newline="") as stream:
        stream.write(",".join(COLUMNS) + "\n")
        for part in parts:
            with part.open(encoding="utf-8", newline="") as lines:
                next(lines, None)  # the heading
                copyfileobj(lines, stream)


def read_rows(path: Path) -> "pd.DataFrame":
    """A table with the fields of Row as columns; strings are never NaN.

    Raises:
        BadFile: the columns are not those of Row.
    """
    import pandas as pd

    types = {column: float if column in _NUMBERS else str for column in COLUMNS}
    undefined = {column: ["", "nan"] for column in _NUMBERS}
    frame = pd.read_csv(path, dtype=types, na_values=undefined, keep_default_na=False)
    if tuple(frame.columns) != COLUMNS:
        raise BadFile(f"{path}: got columns {list(frame.columns)}, wanted {list(COLUMNS)}.")
    return frame

"""Row: one number of one case, with all that it depends on; tables of rows as CSV."""

import csv
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from io import BytesIO
from itertools import chain, groupby
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.storage.run_record import table_of
from benchmark.study.cells import PERFECT_MAP, Cell, Evaluation, Reference
from benchmark.study.protocols import protocol_named
from datasets.case import CaseFiles
from datasets.errors import BadFile
from datasets.io.tables import join_tables, write_table

if TYPE_CHECKING:
    import pandas as pd

    from benchmark.storage.folder import RunFolder

LINE_TEXT = ("postprocessing", "protocol", "split", "stratum", "metric")
PLUGIN = "plugin"


@dataclass(frozen=True)
class Row:
    """One number. Pooled metrics have an empty `case_id`, threshold-free metrics an empty `protocol`.

    Attributes:
        seed, sampling_seed: None for the perfect map, which has neither.
        value: NaN where the metric is undefined by definition.
        key: of the evaluation; of the cell, for metrics of the map before any post-processing.
        revision: of the method, the post-processing, the protocol and the metric that made it, as in 1.1.1.1; 0 where
            none enters.
        flags: reservations about the number, separated by blanks: `leak`, `partial`, `plugin` where a plugin's
            metric, protocol or post-processing made it; mostly empty.
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
    flags: str = ""
    revision: str = ""

    @property
    def name(self) -> tuple[object, ...]:
        """All fields but the value: what the number is of."""
        return tuple(value for field, value in vars(self).items() if field != "value")


COLUMNS = tuple(field.name for field in fields(Row))
ROWS_AT_ONCE = 100_000
_NUMBERS = ("severity", "seed", "sampling_seed", "value")


def blank_row(cell: Cell) -> Row:
    """A row of `cell` in which only case, metric and value are missing."""
    return Row(
        method=cell.fit.method,
        dataset=cell.cohort.dataset,
        sequence=cell.cohort.sequence,
        shift=cell.shift.label,
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
        flags=" ".join(cell.flags),
        revision=str(cell.fit.revision),
    )


def reference_row(reference: Reference) -> Row:
    """The same of the ground truth in place of a method's maps."""
    return Row(
        method=PERFECT_MAP,
        dataset=reference.cohort.dataset,
        sequence=reference.cohort.sequence,
        shift="none",
        severity=0.0,
        seed=None,
        sampling_seed=None,
        split="",
        postprocessing="",
        protocol="",
        case_id="",
        subject_id="",
        metric="",
        value=float("nan"),
        key=reference.key,
        flags=" ".join(reference.flags),
        revision="0",
    )


def evaluation_row(evaluation: Evaluation) -> Row:
    """A row of one post-processing, under one threshold protocol where the number needs a threshold."""
    cell, protocol = evaluation.cell, evaluation.protocol
    blank = reference_row(cell) if isinstance(cell, Reference) else blank_row(cell)
    named = protocol.name if protocol is not None else ""
    return replace(blank, postprocessing=evaluation.pipeline.name, protocol=named, key=evaluation.key)


def rows_of(blank: Row, files: CaseFiles, values: Mapping[str, float]) -> Iterator[Row]:
    """The metrics of one case as rows."""
    shared = vars(replace(blank, split=files.split, case_id=files.case_id, subject_id=files.subject_id))
    for metric, value in values.items():
        yield Row(**{**shared, "metric": metric, "value": float(value)})  # `replace` takes twice as long


def stamped(rows: Iterable[Row]) -> Iterator[Row]:
    """The same rows with the revisions of what made them, and a flag where a plugin's scoring did."""
    stamp = stamps()
    for row in rows:
        revision, flags = stamp(row.revision.partition(".")[0], row.flags, row.postprocessing, row.protocol, row.metric)
        yield Row(**{**vars(row), "revision": revision, "flags": flags})


def stamps() -> Callable[[str, str, str, str, str], tuple[str, str]]:
    """A function that gives a row's revision and flags, from those of its method and the names of what scored it.

    It remembers what it has found.
    """
    made_by = cache(_made_by)

    @cache
    def stamp(revision: str, flags: str, postprocessing: str, protocol: str, metric: str) -> tuple[str, str]:
        revisions, by_plugin = made_by(postprocessing, protocol, metric)
        return f"{revision}.{revisions}", " ".join(filter(None, (flags, PLUGIN))) if by_plugin else flags

    return stamp


def _made_by(postprocessing: str, protocol: str, metric: str) -> tuple[str, bool]:
    """The revisions of what these names stand for, "" for none, and whether any is a plugin's."""
    pipeline = pipeline_named(postprocessing) if postprocessing else None
    threshold = protocol_named(protocol) if protocol else None
    made_by = (pipeline, threshold, METRICS[metric])
    revisions = ".".join(str(one.revision) if one is not None else "0" for one in made_by)
    return revisions, any(one is not None and one.origin for one in made_by)


def _from_text(row: Mapping[str, str]) -> Row:
    whole = {name: int(row[name]) if row[name] else None for name in ("seed", "sampling_seed")}
    numbers = {name: float(row[name]) for name in ("severity", "value")}
    return Row(**{**{name: row[name] for name in COLUMNS}, **whole, **numbers})  # type: ignore[arg-type]


def write_rows(path: Path, rows: Iterable[Row]) -> int:
    """Write rows as CSV, one at a time, with every digit; returns how many there were."""
    return write_table(path, COLUMNS, map(vars, rows), undefined="nan")


def write_lines(path: Path, lines: Iterable[Mapping[str, object]]) -> None:
    """Write a table with the columns of its first line; delete it if there is no line."""
    remaining = iter(lines)
    first = next(remaining, None)
    if first is None:
        path.unlink(missing_ok=True)
    else:
        write_table(path, list(first), chain((first,), remaining), undefined="nan")


def kept_rows(path: Path) -> list[Row]:
    """Read the rows of a file, without pandas.

    Raises:
        BadFile: it is missing, or `write_rows` did not write it.
    """
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            return [_from_text(row) for row in csv.DictReader(stream)]
    except (OSError, KeyError, TypeError, ValueError, csv.Error) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadFile:
    return BadFile(f"{path}: got a table that cannot be read ({error}), expected a table of rows, as a run writes it.")


def read_rows(path: Path) -> "pd.DataFrame":
    """Read a table of rows as a frame, numbers to the last digit.

    Returns:
        Columns of text are categorical, with sorted categories and never NaN, so that a row takes about 50 bytes.

    Raises:
        BadFile: it is missing, no table, or its columns are not those of Row.
    """
    return _read(path, _NUMBERS)


def read_texts(path: Path) -> "pd.DataFrame":
    """The same, but numbers are text as it is written, and categorical too."""
    return _read(path, ())


def _read(path: Path, numbers: Collection[str]) -> "pd.DataFrame":
    """A table of rows, read block by block; all columns but `numbers` become categorical."""
    import pandas as pd
    from pandas.api.types import union_categoricals

    types = {column: float if column in numbers else str for column in COLUMNS}
    undefined = {column: ["", "nan"] for column in numbers}
    kept: dict[str, list[Any]] = {column: [] for column in COLUMNS}
    try:
        with pd.read_csv(
            path, dtype=types, na_values=undefined, keep_default_na=False, chunksize=ROWS_AT_ONCE
        ) as blocks:
            for block in blocks:
                if tuple(block.columns) != COLUMNS:
                    raise BadFile(f"{path}: got columns {list(block.columns)}, expected {list(COLUMNS)}.")
                for column, own in kept.items():
                    own.append(block[column] if column in numbers else block[column].astype("category"))
    except BadFile:
        raise
    except (OSError, KeyError, ValueError) as error:
        raise _unreadable(path, error) from error
    whole: dict[str, Any] = {}
    for column in COLUMNS:
        own = kept.pop(column)
        whole[column] = np.concatenate(own) if column in numbers else union_categoricals(own, sort_categories=True)
    return pd.DataFrame(whole, copy=False)


def read_joined_rows(parts: Sequence[Path]) -> "pd.DataFrame":
    """Read tables of rows as one frame, in the order given; in one call, since a call for each of a thousand is slow.

    Raises:
        BadFile: see `read_rows`; it names the table.
    """
    with TemporaryDirectory(prefix="uadbench-rows-") as folder:
        whole = Path(folder) / "rows.csv"
        join_tables(parts, whole, COLUMNS)
        try:
            return read_rows(whole)
        except BadFile:
            for part in parts:
                read_rows(part)
            raise


def row_names(rows: "pd.DataFrame") -> NDArray[np.uint64]:
    """`(rows,)` a hash of all fields of each row but its value: what it is a number of."""
    import pandas as pd

    return np.asarray(pd.util.hash_pandas_object(rows.drop(columns="value"), index=False), np.uint64)


def chosen(rows: "pd.DataFrame", kept: "pd.Series[bool]") -> "pd.DataFrame":
    """Some rows of a frame; the frame itself where they are all of them, since a copy takes as much memory again."""
    return rows if kept.all() else rows[kept]


def lesion_case_ids(rows: "pd.DataFrame") -> set[str]:
    """Ids of the cases with lesion, which alone have a volume or a Dice."""
    return set(rows.loc[rows["metric"].isin(["lesion_ml", "dice"]) & (rows["case_id"] != ""), "case_id"])


def read_cell_lines(run: "RunFolder", cells: Iterable[Cell], name: str) -> "pd.DataFrame":
    """The lines of `NAME.csv` of each cell that has the file: curves, and lesion recall by size.

    Returns:
        A frame with `dataset`, `method`, `seed` and `sampling_seed` beside the file's columns; its text is never NaN.
    """
    import pandas as pd

    there = [(cell, path) for cell in cells if (path := table_of(run, cell, f"{name}.csv")) is not None]
    parts = [(cell, *path.read_bytes().partition(b"\n")[::2]) for cell, path in there]
    types, frames = dict.fromkeys(LINE_TEXT, str), []
    for header, alike in groupby(parts, lambda part: part[1]):  # of a call for each cell most is overhead
        whose, _, bodies = zip(*alike, strict=True)
        lines = BytesIO(header + b"\n" + b"".join(bodies))
        frame = pd.read_csv(lines, dtype=types, na_values=["nan"], keep_default_na=False)
        owners = [cell for cell, body in zip(whose, bodies, strict=True) for _ in range(body.count(b"\n"))]
        frames.append(
            frame.assign(
                dataset=[cell.cohort.dataset for cell in owners],
                method=[cell.fit.method for cell in owners],
                seed=[cell.fit.seed for cell in owners],
                sampling_seed=[cell.sampling_seed for cell in owners],
            )
        )
    if frames:
        return pd.concat(frames, ignore_index=True)
    return pd.DataFrame(columns=["dataset", "method", "seed", "sampling_seed", *LINE_TEXT])

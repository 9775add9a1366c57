"""How every CSV table is written: whole or not at all, and floats with every digit."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TextIO

from datasets.io.atomic import written_whole

Line = Sequence[object] | Mapping[str, object]


def write_table(path: Path, columns: Sequence[str], lines: Iterable[Line], *, undefined: str = "") -> int:
    """Write `columns` as the heading, then `lines`, one at a time; a file at `path` is replaced when all are written.

    Args:
        lines: values in the order of `columns`, or by their names.
        undefined: what stands for NaN; None is always empty.

    Returns:
        How many lines there were, without the heading.
    """
    with written_whole(path) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        return _write(stream, columns, lines, undefined)


def table_text(columns: Sequence[str], lines: Iterable[Line]) -> str:
    """The same as text."""
    stream = io.StringIO()
    _write(stream, columns, lines, "")
    return stream.getvalue()


def _write(stream: TextIO, columns: Sequence[str], lines: Iterable[Line], undefined: str) -> int:
    writer, count = csv.writer(stream, lineterminator="\n"), 0
    writer.writerow(columns)
    for line in lines:
        values = [line[column] for column in columns] if isinstance(line, Mapping) else line
        writer.writerow([_text(value, undefined) for value in values])
        count += 1
    return count


def _text(value: object, undefined: str) -> object:
    if isinstance(value, float):  # NumPy's doubles, too
        return undefined if value != value else repr(float(value))
    return value

"""CSV tables: written whole with every digit, and read with their bad rows told apart from the good ones."""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfileobj
from typing import TextIO

from datasets.case import SPLITS
from datasets.errors import BadFile
from datasets.io.atomic import written_whole
from datasets.io.files import check_file
from datasets.words import count_text

LONGEST_NAME = 200  # bytes; leaves room for an ending and a temporary prefix below the 255 of file systems
RESERVED = re.compile(r'[<>:"/\\|?*]|^[.=+@~-]|[. ]$|^ |^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)
FORMULA = re.compile(r"^[=@]|^[+-](?![\d.])")
NOT_PLAIN = "control characters or line breaks"
Tell = Callable[[Sequence[Mapping[str, str]]], Iterable[str]]
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


def join_tables(parts: Iterable[Path], whole: Path, columns: Sequence[str]) -> None:
    """Join tables with these columns into one, in the order given."""
    with written_whole(whole) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        _write(stream, columns, (), "")
        for part in parts:
            with part.open(newline="", encoding="utf-8") as lines:
                next(lines, None)  # the heading
                copyfileobj(lines, stream)


def table_text(columns: Sequence[str], lines: Iterable[Line]) -> str:
    """The table of `write_table` as text."""
    stream = io.StringIO()
    _write(stream, columns, lines, "")
    return stream.getvalue()


def read_rows(path: Path, *, delimiter: str = ",") -> tuple[Sequence[str], list[dict[str, str]]]:
    """The header and the unchecked rows of a table in UTF-8; a missing cell is "".

    Raises:
        MissingData: there is no such file.
        BadFile: it is not such a table.
    """
    check_file(path)
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream, delimiter=delimiter, restval="")
            return tuple(reader.fieldnames or ()), [{k: v for k, v in row.items() if k} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: got a table that cannot be read ({error}), expected CSV in UTF-8.") from error


@dataclass(frozen=True)
class RowProblem:
    """What is wrong with one row.

    Attributes:
        row: counted from 1, without the header.
        code: the kind of defect, e.g. `duplicate-row`.
        case_id: "" where the row has none.
    """

    row: int
    code: str
    case_id: str
    got: str
    expected: str

    def __str__(self) -> str:
        by_row = not self.case_id or self.code in ("bad-row", "duplicate-row")
        whose = f"row {self.row}" if by_row else f"case '{self.case_id}'"
        return f"{whose} got {self.got}, expected {self.expected}."


@dataclass(frozen=True)
class Table:
    """A table, and what is wrong with its rows.

    Attributes:
        rows: all rows, each with every column; a missing cell is "".
        problems: of the rows, in their order.
    """

    path: Path
    columns: Sequence[str]
    rows: Sequence[Mapping[str, str]]
    problems: Sequence[RowProblem]

    @property
    def usable(self) -> list[Mapping[str, str]]:
        """The rows of cases without any problem."""
        bad = {problem.row for problem in self.problems}
        cases = {problem.case_id for problem in self.problems}
        return [row for number, row in enumerate(self.rows, 1) if number not in bad and row.get("case_id") not in cases]


def read_table(
    path: Path,
    required: Sequence[str],
    told: Mapping[str, Tell] | None = None,
    *,
    repeats: bool = False,
) -> Table:
    """Read a comma-separated table in UTF-8 and check every row.

    A subject, and with `repeats` a case, has the spelling of its first row in all of them (see `same_name`); in the
    column `healthy` yes and no are spelt so.

    Args:
        required: columns that must exist and be filled.
        told: by column what gives its cells in a table without it, from the rows with what was told before.
        repeats: whether a case may have several rows, as over the folds of a split.

    Raises:
        MissingData: there is no such file.
        BadFile: the table as a whole cannot be read, or lacks a column.
    """
    header, lines = _parsed(path)
    missing = [column for column in required if column not in header]
    if missing:
        raise BadFile(f"{path}: got columns {', '.join(header) or 'none'}, expected also {', '.join(missing)}.")
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise BadFile(f"{path}: got column {', '.join(twice)} twice, expected every column once.")
    rows = [dict(zip(header, [*line, *[""] * len(header)], strict=False)) for line in lines]
    for column in ("subject_id", *(["case_id"] if repeats else [])):
        _spell_alike(rows, column)
    for row in rows:
        if yes_or_no(row.get("healthy", "")) is not None:
            row["healthy"] = "yes" if yes_or_no(row["healthy"]) else "no"
    for column, tell in (told or {}).items():
        if column not in header:
            for row, cell in zip(rows, tell(rows), strict=True):
                row[column] = cell
    problems = [
        problem
        for number, (line, row) in enumerate(zip(lines, rows, strict=True), 1)
        for problem in _row_problems(number, line, row, header, [*required, *(told or ())])
    ]
    if not repeats:
        problems += _repeats(rows)
    return Table(path, header, rows, sorted(problems, key=lambda one: one.row))


def same_name(name: str) -> str:
    """What all spellings of a name share, which differ in blanks, capitals or the form of Unicode only."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


def yes_or_no(text: str) -> bool | None:
    """Whether a cell says yes, in whatever capitals and blanks; None where it says neither yes nor no."""
    return {"yes": True, "no": False}.get(same_name(text))


def _write(stream: TextIO, columns: Sequence[str], lines: Iterable[Line], undefined: str) -> int:
    writer, count = csv.writer(stream, lineterminator="\n"), 0
    writer.writerow(columns)
    for line in lines:
        values = [line[column] for column in columns] if isinstance(line, Mapping) else line
        writer.writerow([_text(value, undefined) if isinstance(value, float) else value for value in values])
        count += 1
    return count


def _text(value: float, undefined: str) -> str:
    """With every digit; NumPy's doubles are floats, too."""
    return undefined if value != value else repr(float(value))


def _parsed(path: Path) -> tuple[list[str], list[list[str]]]:
    """Header and rows, without blank lines."""
    check_file(path)
    text = _decoded(path)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        raise BadFile(f"{path}: got a table that cannot be read ({error}), expected CSV with commas.") from error
    header, *rows = [line for line in lines if any(cell.strip() for cell in line)] or [[]]
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(header) == 1 and mark in header[0]:
            raise BadFile(f"{path}: got {name} between columns, expected commas.")
    return [cell.strip() for cell in header], rows


def _spell_alike(rows: Iterable[dict[str, str]], column: str) -> None:
    spellings: dict[str, str] = {}
    for row in rows:
        if row.get(column):
            row[column] = spellings.setdefault(same_name(row[column]), row[column])


def _decoded(path: Path) -> str:
    content = path.read_bytes()
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content[1:8:2] == b"\0\0\0\0":
        raise BadFile(f"{path}: got a table that cannot be read (it is UTF-16), expected CSV in UTF-8.")
    if b"\0" in content:
        raise BadFile(f"{path}: got a table that cannot be read (it holds NUL bytes), expected CSV in UTF-8.")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: got a table that cannot be read ({error}), expected CSV in UTF-8.") from error


def _row_problems(
    number: int, line: Sequence[str], row: Mapping[str, str], header: Sequence[str], required: Sequence[str]
) -> list[RowProblem]:
    case_id = row.get("case_id", "")
    told: list[tuple[str, str, str]] = []
    if len(line) > len(header) and any(cell.strip() for cell in line[len(header) :]):
        told.append(("bad-row", count_text(len(line), "field"), f"{len(header)} as in the header"))
    empty = [column for column in required if not row[column].strip()]
    if empty:
        told.append(("bad-row", f"nothing for {', '.join(empty)}", "a value"))
    if "split" not in empty and "split" in row and row["split"] not in SPLITS:
        told.append(("bad-split", f"split '{row['split']}'", f"one of {', '.join(SPLITS)}"))
    told += [("bad-name", why, "a name that every file system takes") for why in _why_no_name(case_id)]
    for column in header:
        if column != "case_id" and FORMULA.search(row[column]):
            told.append(("formula", f"the formula {row[column]!r} as {column}", "text or a number"))
        if column != "case_id" and any(not letter.isprintable() for letter in row[column]):
            told.append(("bad-text", f"{NOT_PLAIN} in {column} ({row[column][:40]!r})", "one line of text"))
    named = case_id if case_id and case_id.isprintable() else ""
    return [RowProblem(number, code, named, got, expected) for code, got, expected in told]


def _why_no_name(case_id: str) -> list[str]:
    """Why no file can have this name; empty if one can."""
    if len(case_id.encode()) > LONGEST_NAME:
        return [f"a case_id of {count_text(len(case_id.encode()), 'byte')}, more than {LONGEST_NAME}"]
    if any(not letter.isprintable() for letter in case_id):
        return [f"{NOT_PLAIN} in case_id ({case_id!r})"]
    found = RESERVED.search(case_id) if case_id else None
    return [f"a case_id with {found[0]!r} where no file's name may have it"] if found else []


def _repeats(rows: Sequence[Mapping[str, str]]) -> list[RowProblem]:
    """Rows whose case is named by an earlier row, spelt alike or not."""
    seen: dict[str, str] = {}
    problems = []
    for number, row in enumerate(rows, 1):
        case_id = row.get("case_id", "")
        known = seen.get(same_name(case_id))
        if not case_id or known is None:
            seen[same_name(case_id)] = case_id
        elif known == case_id:
            problems.append(RowProblem(number, "duplicate-row", case_id, f"case '{case_id}' twice", "every case once"))
        else:
            got = f"the name of '{known}' in other letters"
            problems.append(RowProblem(number, "same-name", case_id, got, "names that differ in more than that"))
    return problems

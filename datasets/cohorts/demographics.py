"""Ages and sexes from the sheet that comes with a cohort, as CSV or as the workbook it is published as."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import BadFile

SEX = {"1": "M", "2": "F"}
WORKBOOKS = (".xls", ".xlsx")


@dataclass(frozen=True)
class Person:
    """Age in years, None where unknown; sex "M", "F" or "" where unknown."""

    age: float | None = None
    sex: str = ""


@dataclass(frozen=True)
class Sheet:
    """Who is who by the number in the subject's name, and a line for what could not be used."""

    people: Mapping[int, Person]
    problems: tuple[str, ...] = ()


def read_sheet(path: Path, *, number: str, sex: str, age: str) -> Sheet:
    """A sheet's people; of rows that share a number and disagree, neither the age nor the sex is taken.

    Args:
        number, sex, age: how the columns' headings begin, in any case; sex is 1 for male, 2 for female.

    Raises:
        BadFile: it cannot be read, or has no such columns.
    """
    rows = _workbook(path) if path.suffix.casefold() in WORKBOOKS else _csv(path, number)
    heading, columns = _columns(rows, (number, sex, age), path)
    people: dict[int, Person] = {}
    disagreeing: list[str] = []
    for row in rows[heading + 1 :]:
        key = _number(row[columns[0]] if len(row) > columns[0] else "")
        if key is None:
            continue
        person = Person(_age(row, columns[2]), SEX.get(_cell(row, columns[1]).removesuffix(".0"), ""))
        merged = _merged(people.get(key, person), person)
        if key in people and (people[key].age, people[key].sex) != (merged.age, merged.sex):
            disagreeing.append(f"{path.name}: rows of number {key} disagree, so its age or sex is left unknown")
        people[key] = merged
    return Sheet(people, tuple(dict.fromkeys(disagreeing)))


def _merged(one: Person, other: Person) -> Person:
    return Person(one.age if one.age == other.age else None, one.sex if one.sex == other.sex else "")


def _columns(rows: Sequence[Sequence[str]], starts: Sequence[str], path: Path) -> tuple[int, list[int]]:
    """The heading's row and the columns that begin as asked for."""
    for index, row in enumerate(rows[:10]):
        heads = [cell.strip().casefold() for cell in row]
        found = [
            next((at for at, head in enumerate(heads) if head.startswith(start.casefold())), -1) for start in starts
        ]
        if min(found) >= 0:
            return index, found
    raise BadFile(f"{path}: got no row with the headings {', '.join(starts)}, wanted the cohort's sheet.")


def _csv(path: Path, number: str) -> list[list[str]]:
    """Rows of a table separated by whichever of comma, semicolon and tab its heading has."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = next((line for line in text.splitlines() if number.casefold() in line.casefold()), "")
        delimiter = max(",;\t", key=first.count)
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: got a table that cannot be read ({error}), wanted CSV in UTF-8.") from error


def _workbook(path: Path) -> list[list[str]]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        rows = CalamineWorkbook.from_path(str(path)).get_sheet_by_index(0).to_python()
    except (CalamineError, OSError) as error:
        raise BadFile(f"{path}: got a workbook that cannot be read ({error}).") from error
    return [[str(cell) for cell in row] for row in rows]


def _cell(row: Sequence[str], column: int) -> str:
    return row[column].strip() if len(row) > column else ""


def _number(text: str) -> int | None:
    """Of `IXI002`, `2` and `2.0`."""
    digits = text.strip().upper().removeprefix("IXI").removesuffix(".0")
    return int(digits) if digits.isdecimal() else None


def _age(row: Sequence[str], column: int) -> float | None:
    try:
        age = float(_cell(row, column).replace(",", "."))
    except ValueError:
        return None
    return age if 0 < age < 120 else None

"""IXI: healthy adults from three London hospitals, with the ages and sexes of its demographics sheet."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.cohorts.downloads import Facts, Identity, Layout, files_below
from datasets.errors import BadFile, MissingPackage, need
from datasets.spec import DatasetSpec

SITES = {"guys": "Guys", "hh": "HH", "iop": "IOP"}
SEX = {"1": "M", "2": "F"}
WORKBOOKS = (".xls", ".xlsx")


def _identity(match: re.Match[str]) -> Identity:
    site = SITES[match["site"].casefold()]
    return Identity(f"IXI{match['number']}-{site}-{match['scan']}", f"IXI{match['number']}", site)


LAYOUT = Layout(
    title="IXI",
    name=r"IXI(?P<number>\d{3})-(?P<site>Guys|HH|IOP)-(?P<scan>\d{4})",
    after="-",
    identity=_identity,
    roles={"t1": "t1", "t2": "t2"},
    looked_for="IXI002-Guys-0828-T1.nii.gz and the like, or Train/ixi/{t1,t2,mask}",
    facts=Facts(licence="CC BY-SA 3.0"),
    archive=("ixi",),
)


def raw_cases(root: Path) -> RawCohort:
    """IXI-T1, IXI-T2 and the demographics sheet, unpacked anywhere below `root`; or the prepared archive.

    A sheet is `IXI.xls` or its export to CSV. Its identifiers are not unique: scans come from the files' names alone,
    and an age or sex on which rows of one identifier disagree is left unknown.
    """
    archive = LAYOUT.read_archive(root)
    if archive is not None:
        return archive
    cohort, sheet = LAYOUT.read_original(root), _sheet(root)
    return RawCohort(tuple(_with_person(case, sheet) for case in cohort.cases), (*cohort.problems, *sheet.problems))


@dataclass(frozen=True)
class Demographics:
    """Age in years, None where unknown; sex "M", "F" or "" where unknown."""

    age: float | None = None
    sex: str = ""


@dataclass(frozen=True)
class Sheet:
    """People by the number in their subject's name, and a line for each thing that could not be used."""

    people: Mapping[int, Demographics]
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
    people: dict[int, Demographics] = {}
    disagreeing: list[str] = []
    for row in rows[heading + 1 :]:
        key = _number(row[columns[0]] if len(row) > columns[0] else "")
        if key is None:
            continue
        person = Demographics(_age(row, columns[2]), SEX.get(_cell(row, columns[1]).removesuffix(".0"), ""))
        merged = _merged(people.get(key, person), person)
        if key in people and (people[key].age, people[key].sex) != (merged.age, merged.sex):
            disagreeing.append(f"{path.name}: rows of number {key} disagree, so its age or sex is left unknown")
        people[key] = merged
    return Sheet(people, tuple(dict.fromkeys(disagreeing)))


def _with_person(case: RawCase, sheet: Sheet) -> RawCase:
    person = sheet.people.get(int(case.subject_id.removeprefix("IXI")), Demographics())
    return replace(case, age=person.age, sex=person.sex)


def _sheet(root: Path) -> Sheet:
    """The first sheet that can be read; ages stay unknown where there is none."""
    problems: list[str] = []
    for path in _tables(root):
        try:
            sheet = read_sheet(path, number="IXI_ID", sex="SEX_ID", age="AGE")
        except (BadFile, MissingPackage) as error:
            problems.append(str(error))
            continue
        return Sheet(sheet.people, (*problems, *sheet.problems))
    return Sheet({}, (*problems, "no demographics sheet (IXI.xls or its CSV export): ages and sexes are unknown"))


def _tables(root: Path) -> Iterator[Path]:
    """CSV before workbooks, since an export was made on purpose."""
    tables = [path for path in files_below(root) if path.suffix.casefold() in (".csv", *WORKBOOKS)]
    yield from sorted(tables, key=lambda path: (path.suffix.casefold() != ".csv", path))


def _merged(one: Demographics, other: Demographics) -> Demographics:
    return Demographics(one.age if one.age == other.age else None, one.sex if one.sex == other.sex else "")


def _columns(rows: Sequence[Sequence[str]], starts: Sequence[str], path: Path) -> tuple[int, list[int]]:
    """The heading's row and the columns that begin as asked for."""
    for index, row in enumerate(rows[:10]):
        heads = [cell.strip().casefold() for cell in row]
        found = [
            next((at for at, head in enumerate(heads) if head.startswith(start.casefold())), -1) for start in starts
        ]
        if min(found) >= 0:
            return index, found
    raise BadFile(f"{path}: got no row with the headings {', '.join(starts)}, expected the cohort's sheet.")


def _csv(path: Path, number: str) -> list[list[str]]:
    """Rows of a table separated by whichever of comma, semicolon and tab its heading has."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
        first = next((line for line in text.splitlines() if number.casefold() in line.casefold()), "")
        delimiter = max(",;\t", key=first.count)
        return list(csv.reader(io.StringIO(text), delimiter=delimiter))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{path}: got a table that cannot be read ({error}), expected CSV in UTF-8.") from error


def _workbook(path: Path) -> list[list[str]]:
    need("python_calamine", f"{path}, unless exported as CSV,")
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


IXI = DatasetSpec(
    name="ixi",
    title="IXI",
    sequences=("t1", "t2"),
    healthy=True,
    licence="CC BY-SA 3.0",
    reference="Information eXtraction from Images, EPSRC GR/S21533/02",
    url="https://brain-development.org/ixi-dataset",
    how_to_get="Download it from brain-development.org/ixi-dataset (open).",
    raw_cases=raw_cases,
)

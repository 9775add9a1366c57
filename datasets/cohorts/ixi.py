"""IXI: healthy adults from three London hospitals."""

import re
from collections.abc import Iterator
from pathlib import Path

from datasets.case import RawCase, RawCohort
from datasets.cohorts.demographics import WORKBOOKS, Person, Sheet, read_sheet
from datasets.cohorts.downloads import NIFTI, Layout, Scan, archived, files_below, gather
from datasets.errors import BadFile
from datasets.spec import DatasetSpec

NAME = re.compile(r"IXI(?P<number>\d{3})-(?P<site>Guys|HH|IOP)-(?P<scan>\d{4})", re.IGNORECASE)
SITES = {"guys": "Guys", "hh": "HH", "iop": "IOP"}


def raw_cases(root: Path) -> RawCohort:
    """IXI-T1, IXI-T2 and the demographics sheet, unpacked anywhere below `root`; or the prepared archive.

    A sheet is `IXI.xls` or what it is exported to as CSV. Its identifiers are not unique: scans come
    from the files' names alone, and what rows of one identifier disagree on is left unknown.
    """
    found = archived(root, "IXI", ("ixi",), _identity)
    if found is not None:
        return found
    pattern = re.compile(rf"(^|/){NAME.pattern}-(?P<role>T1|T2){NIFTI}", re.IGNORECASE)
    wanted = "IXI002-Guys-0828-T1.nii.gz and the like, or Train/ixi/{t1,t2,mask}"
    scans = gather(root, Layout("IXI", pattern, lambda match: _case_id(match), wanted))
    sheet = _sheet(root)
    cases = tuple(_raw_case(scan, sheet) for scan in scans.scans)
    return RawCohort(cases, (*scans.problems, *scans.lacking(("t1", "t2")), *sheet.problems))


def _raw_case(scan: Scan, sheet: Sheet) -> RawCase:
    case_id, subject_id, site = _identity(scan.name) or (scan.name, scan.name, "")
    person = sheet.people.get(int(subject_id[3:]), Person())
    return RawCase(
        case_id=case_id,
        subject_id=subject_id,
        images=scan.files,
        drawn_on=next(iter(scan.files)),
        site=site,
        age=person.age,
        sex=person.sex,
        licence="CC BY-SA 3.0",
    )


def _case_id(match: re.Match[str]) -> str:
    return f"IXI{match['number']}-{SITES[match['site'].casefold()]}-{match['scan']}"


def _identity(name: str) -> tuple[str, str, str] | None:
    match = NAME.match(name)
    return (_case_id(match), f"IXI{match['number']}", SITES[match["site"].casefold()]) if match else None


def _sheet(root: Path) -> Sheet:
    """The first sheet that can be read; ages stay unknown where there is none."""
    problems: list[str] = []
    for path in _tables(root):
        try:
            sheet = read_sheet(path, number="IXI_ID", sex="SEX_ID", age="AGE")
        except BadFile as error:
            problems.append(str(error))
            continue
        return Sheet(sheet.people, (*problems, *sheet.problems))
    return Sheet({}, (*problems, "no demographics sheet (IXI.xls or its CSV export): ages and sexes are unknown"))


def _tables(root: Path) -> Iterator[Path]:
    """CSV before workbooks: an export is there because it was wanted."""
    tables = [path for path in files_below(root) if path.suffix.casefold() in (".csv", *WORKBOOKS)]
    yield from sorted(tables, key=lambda path: (path.suffix.casefold() != ".csv", path))


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

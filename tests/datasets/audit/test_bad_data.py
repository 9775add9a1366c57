"""Every kind of bad data is named precisely, by the audit and by `prepared_files`, and the rest goes on."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from damaged_cohort import MINE, SHAPE, lesion, save, write_cohort
from defects import KINDS, Kind

from datasets.audit.cohorts import audit
from datasets.audit.finding import Finding
from datasets.case import CaseFiles
from datasets.errors import CaseProblem, UserError, refusal
from datasets.grid import Grid
from datasets.loading import load_case
from datasets.spec import prepared_files

DOCUMENT = Path(__file__).parents[3] / "docs" / "bad-data.md"
GRID = Grid(shape=(20, 24, 20), spacing=8.0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_cohort(tmp_path / "mine")
    return tmp_path / "mine"


def findings_of(folder: Path) -> list[Finding]:
    return audit([MINE], folder.parent)


def test_nothing_is_said_of_a_sound_cohort(folder: Path) -> None:
    assert findings_of(folder) == []


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_audit_names_it_and_goes_on(folder: Path, kind: Kind) -> None:
    kind.damage(folder)
    findings = findings_of(folder)
    if kind.said == "accepted":
        assert findings == []
        return
    told = [one for one in findings if f"{one.severity} {one.code}" == kind.said and kind.got in one.got]
    assert told, findings
    assert all(one.expected for one in told)
    assert {one.cohort for one in findings} == {"mine"}
    assert not [one for one in findings if one.got.endswith(".") or one.expected.endswith(".")]  # clauses
    about_others = [one for one in findings if set(one.cases) & {"sound", "other"} and "duplicate" not in one.code]
    assert {one.code for one in about_others} <= {"subject-in-two-splits"}


@pytest.mark.parametrize("kind", [one for one in KINDS if one.said.startswith("error")], ids=lambda kind: kind.name)
def test_an_error_can_be_left_out_or_allowed(folder: Path, kind: Kind) -> None:
    kind.damage(folder)
    errors = [one for one in findings_of(folder) if one.severity == "error"]
    assert {one.flag for one in errors} <= {"leak", "partial"}
    assert all(one.cases for one in errors if one.code not in ("bad-table", "bad-row", "bad-name"))


def test_a_case_that_a_plugin_s_cohort_cannot_use_is_an_error_that_can_be_left_out(folder: Path) -> None:
    *usable, _ = prepared_files(MINE, folder.parent, "t1")

    def files(_root: Path, _sequence: str) -> Sequence[CaseFiles]:
        raise refusal([CaseProblem("odd-scan", "bad", "bad.nii has two heads.")], usable)

    (told,) = (one for one in audit([replace(MINE, files=files)], folder.parent) if one.severity == "error")
    assert (told.code, told.cohort, told.cases, told.got, told.flag) == (
        ("odd-scan", "mine", ("bad",), "bad.nii has two heads", "partial")
    )


READ = [one for one in KINDS if one.said.split()[-1] in ("unreadable-file", "bad-shape", "bad-type", "not-finite",
                                                         "too-large", "bad-scaling", "bad-spacing", "bad-units",
                                                         "bad-affine", "sheared", "mask-off-grid",
                                                         "unknown-label")]  # fmt: skip


@pytest.mark.parametrize("kind", READ, ids=lambda kind: kind.name)
def test_reading_a_case_refuses_what_the_audit_calls_unreadable(folder: Path, kind: Kind) -> None:
    kind.damage(folder)
    bad = prepared_files(MINE, folder.parent, "t1")[-1]
    with pytest.raises(UserError, match=re.escape(kind.got)):
        load_case(bad, GRID)


def test_lesions_that_a_grid_loses_are_told_by_cohort_with_their_volume(folder: Path) -> None:
    """8 mm voxels of the scan, 25 mm voxels of the grid: what is under half of one of them is lost."""
    single = np.zeros(SHAPE, dtype=np.uint8)
    single[8, 9, 10] = single[12, 14, 10] = 1
    save(folder / "lesion_mask" / "bad.nii.gz", single)
    (lost,) = (one for one in audit([MINE], folder.parent, replace(GRID, spacing=25.0)) if one.code == "lost-lesions")
    whole = 2 + lesion().sum()
    assert (lost.severity, lost.cohort, lost.cases) == ("warning", "mine", ("bad",))
    assert lost.got == f"2 of 3 lesions (1.02 of {whole * 0.512:.3g} ml) too small to leave a voxel on the grid"
    assert not [one for one in audit([MINE], folder.parent, GRID) if one.code == "lost-lesions"]


def test_how_much_of_the_lesions_volume_a_grid_keeps_is_told_by_cohort_and_size(folder: Path) -> None:
    single = np.zeros(SHAPE, dtype=np.uint8)
    single[8, 9, 10] = 1
    save(folder / "lesion_mask" / "bad.nii.gz", single)
    whole, ml = lesion().sum() * 0.512, 25.0**3 / 1000
    kept = round(whole / ml) * ml
    for spacing, got in (
        (8.0, f"1.00 times the lesions' volume on the grid (1.00 in 1 of 0.1 to 1 ml, 1.00 in 1 of {size(whole)})"),
        (25.0, f"{kept / (whole + 0.512):.2f} times the lesions' volume on the grid (0.00 in 1 of 0.1 to 1 ml, "
               f"{kept / whole:.2f} in 1 of {size(whole)})"),
    ):  # fmt: skip
        findings = audit([MINE], folder.parent, replace(GRID, spacing=spacing))
        (told,) = (one for one in findings if one.code == "volume-on-grid")
        assert (told.severity, told.cohort, told.got, told.expected) == ("note", "mine", got, "1.00")
    assert not [one for one in audit([MINE], folder.parent) if one.code == "volume-on-grid"]


def size(ml: float) -> str:
    return "over 10 ml" if ml >= 10 else "1 to 10 ml"


def test_the_document_lists_exactly_these() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.*?) \|$", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    listed = [row for row in rows if row[0] not in ("kind", "---")]
    assert listed == [(kind.name, kind.said, kind.got.replace("|", "\\|")) for kind in KINDS]


def test_there_are_at_least_forty() -> None:
    assert len({kind.name for kind in KINDS}) == len(KINDS) >= 40

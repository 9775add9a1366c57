"""A study whose data leak or are bad is refused before anything is computed, or every row of it is marked."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from cohorts import write_case
from commandline import STUDY, Program
from studies import read_table, stamps

from benchmark.storage.admission import _of_tables
from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.audit import examine as reading
from datasets.io.atomic import read_json

pytestmark = pytest.mark.usefixtures("plugin")


def leak(data: Path) -> None:
    """A training scan of the volunteers is a patient's test scan."""
    copy(data, "volunteers/t1/volunteers-train-0", "patients/t1/patients-test-0")


def copy(data: Path, source: str, target: str) -> None:
    (data / f"{target}.nii.gz").write_bytes((data / f"{source}.nii.gz").read_bytes())


def spoil(data: Path) -> None:
    (data / "patients" / "t1" / "patients-val-1.nii.gz").write_bytes(b"torn")
    (data / "patients" / "lesion_mask" / "patients-test-2.nii.gz").unlink()


def run(program: Program, data: Path, *options: str) -> tuple[int, Sequence[str]]:
    result = program("run", *STUDY, "--data", data, "--out", "run", *options)
    return result.exit_code, result.stderr.splitlines()


def flags() -> set[str]:
    return {row["flags"] for row in read_table(Path("run/rows.csv"))} | {
        row["flags"] for row in read_table(Path("run/timing.csv"))
    }


def keys() -> set[str]:
    return {row["key"] for row in read_table(Path("run/rows.csv"))}


def test_sound_data_are_admitted_without_a_mark(program: Program, data: Path) -> None:
    assert run(program, data) == (0, [])
    assert flags() == {""}
    assert len(read_json(Path("run/audit.json"))) == 1


def test_a_training_scan_in_a_test_cohort_is_refused_before_anything_is_computed(
    program: Program, own_data: Path
) -> None:
    leak(own_data)
    code, (line,) = run(program, own_data)
    assert code == 2
    assert "equal voxels in volunteers-train-0 (volunteers train) and patients-test-0 (patients test)" in line
    assert "--allow-leak" in line
    assert list(Path("run").iterdir()) == []


def test_a_scan_or_a_person_that_a_study_has_in_two_splits_is_a_leak(data: Path) -> None:
    """However its cohort finds its cases: that of a plugin may have no table."""
    study = plan(Request("mean-distance", "patients", data, preset="quick"))
    (first, *_), (other, *_) = study.files["patients"], study.files["volunteers"]
    again, of_one_person = replace(first, split="test"), replace(first, case_id="new", split="test")
    for added, codes in (
        ([], []),
        ([again], ["scan-in-two-splits", "subject-in-two-splits"]),
        ([of_one_person], ["subject-in-two-splits"]),
        ([other], []),
    ):
        files = {"patients": [*study.files["patients"], *added]}
        told = _of_tables(replace(study, files=files))
        assert [(one.code, one.cohort, one.flag) for one in told] == [(code, "patients", "leak") for code in codes]


def test_a_subject_in_two_splits_is_refused_by_a_dry_run_too(program: Program, own_data: Path) -> None:
    table = own_data / "volunteers" / "cases.csv"
    table.write_text(
        table.read_text().replace("volunteers-test-0,volunteers-test-1", "volunteers-test-0,volunteers-train-2")
    )
    for options in ((), ("--dry-run",)):
        code, lines = run(program, own_data, *options)
        assert code == 2
        assert "1 subject in both train and test" in lines[0]


def test_an_allowed_leak_marks_every_row_its_key_and_the_report(program: Program, own_data: Path) -> None:
    assert run(program, own_data)[0] == 0
    clean = keys()
    leak(own_data)
    assert run(program, own_data, "--allow-leak")[0] == 0
    assert flags() == {"leak"}
    assert not keys() & clean
    report = Path("run/report.md").read_text()
    assert "**LEAK**" in report
    assert "patients-test-0" in report
    assert "LEAK" in program("run", *STUDY, "--data", own_data, "--out", "run", "--allow-leak").stdout


def test_the_option_alone_marks_nothing(program: Program, data: Path) -> None:
    assert run(program, data, "--allow-leak", "--skip-bad") == (0, [])
    assert flags() == {""}


def test_missing_files_are_named_before_any_is_read_and_all_bad_ones_at_once(program: Program, own_data: Path) -> None:
    spoil(own_data)
    (own_data / "patients" / "brain_mask" / "patients-val-0.nii.gz").write_bytes(b"torn")
    result = program("run", *STUDY, "--data", own_data, "--out", "run")
    assert result.exit_code == 2
    missing, option = result.stderr.splitlines()
    assert "lesion_mask/patients-test-2.nii.gz" in missing
    assert "--skip-bad" in option
    assert "Auditing" not in result.stdout
    table = own_data / "patients" / "cases.csv"
    table.write_text("".join(line for line in table.read_text().splitlines(True) if "patients-test-2" not in line))
    code, lines = run(program, own_data)
    assert code == 2
    assert [line.partition(": got a file that cannot be read")[0].rpartition("patients/")[2] for line in lines] == [
        "brain_mask/patients-val-0.nii.gz", "t1/patients-val-1.nii.gz",
    ]  # fmt: skip
    assert "--skip-bad" in lines[-1]


def test_skipped_cases_are_left_out_told_and_marked(program: Program, own_data: Path) -> None:
    spoil(own_data)
    result = program("run", *STUDY, "--data", own_data, "--out", "run", "--skip-bad")
    assert result.exit_code == 0
    assert "Left out of patients: patients-test-2, patients-val-1 (--skip-bad)." in result.stdout
    assert flags() == {"partial"}
    cases = {row["case_id"] for row in read_table(Path("run/rows.csv"))}
    assert "patients-test-1" in cases
    assert not cases & {"patients-test-2", "patients-val-1"}
    report = Path("run/report.md").read_text()
    assert "**PARTIAL**" in report
    assert "patients-val-1" in report


def test_a_leak_is_marked_beside_bad_cases_that_have_no_part_in_it(program: Program, own_data: Path) -> None:
    spoil(own_data)
    leak(own_data)
    assert run(program, own_data, "--skip-bad", "--allow-leak")[0] == 0
    assert [set(re.findall(r"\w+", flag)) for flag in flags()] == [{"leak", "partial"}]


def test_a_partial_run_can_be_evaluated_again(program: Program, own_data: Path) -> None:
    spoil(own_data)
    assert run(program, own_data, "--skip-bad")[0] == 0
    before = Path("run/rows.csv").read_bytes()
    assert program("evaluate", "run").exit_code == 0
    assert Path("run/rows.csv").read_bytes() == before


def test_what_was_audited_is_not_read_again(program: Program, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(program, data)
    before = stamps(Path("run"), "audit.json")
    opened: list[Path] = []
    monkeypatch.setattr(reading, "read_volume", opened.append)
    result = program("run", *STUDY, "--data", data, "--out", "run")
    assert (result.exit_code, opened) == (0, [])
    assert "Auditing" not in result.stdout
    assert stamps(Path("run"), "audit.json") == before


def test_closed_test_cases_are_not_opened(program: Program, own_data: Path) -> None:
    for path in own_data.rglob("*-test-*.nii.gz"):
        path.write_bytes(b"not to be opened")
    assert run(program, own_data, "--validation-only") == (0, [])


def test_a_case_that_changes_is_audited_anew(program: Program, own_data: Path) -> None:
    run(program, own_data)
    write_case(own_data / "patients", "patients-val-9", lesion=True)
    copy(own_data, "patients/t1/patients-val-9", "patients/t1/patients-val-0")
    assert "Auditing" in program("run", *STUDY, "--data", own_data, "--out", "run").stdout


def test_a_file_that_broke_after_the_first_run_is_refused_and_loses_nothing(program: Program, own_data: Path) -> None:
    run(program, own_data)
    before = stamps(Path("run"), "*.*")
    spoil(own_data)
    assert run(program, own_data)[0] == 2
    assert stamps(Path("run"), "*.*") == before


def test_a_warning_reaches_the_terminal_and_the_report(program: Program, data: Path) -> None:
    """Brains of a few ml, as these are, refuse no study and may still make its numbers wrong."""
    result = program("run", *STUDY, "--data", data, "--out", "run")
    assert result.exit_code == 0
    told = result.stdout[: result.stdout.index("[1/1]")]  # before anything is computed
    assert "WARNING brain-volume  patients: 6 findings" in told
    assert "WARNING brain-volume  volunteers: " in told
    assert "expected 700 to 2200 ml" in told
    for text in (Path("run/report.md").read_text(), result.stdout.replace("\n", " ")):
        assert "The audit warns of" in text
        assert "patients-test-0" in text

"""What is said to be missing, and why."""

from pathlib import Path

from scored_runs import COHORTS, Made, cells_of, make, section

from reports.formats.markdown import inline
from reports.model.run_results import read_results
from reports.sections.notes import notes


def test_a_failed_cell_is_missing_in_the_tables_and_named_in_the_notes(
    tmp_path: Path, data: Path, plugin: None
) -> None:
    report = make(tmp_path / "run", data, failing=[("ae[size=48]", "patients")]).report(pictures=[])
    line = cells_of(section(report, "All metrics"), "ae")
    assert {*line[1:]} == {""}
    notes = section(report, "### What is missing, and audit warnings")
    assert "seed 0: **failed** in predict (ValueError: got a NaN\\_map)." in notes
    assert "5 of 6 done" in report


def test_a_run_in_which_all_failed_still_has_a_report(tmp_path: Path, data: Path, plugin: None) -> None:
    report = make(tmp_path / "run", data, failing=[(m, c) for m in ("thresh", "ae[size=48]") for c in COHORTS]).report(
        pictures=[]
    )
    assert "0 of 6 done" in report
    notes = section(report, "### What is missing, and audit warnings")
    assert notes.count("**failed**") == 1
    assert "- thresh, ae\\[size=48\\] on `volunteers`, `patients`, `inpatients`, seed 0: **failed**" in notes


def test_undefined_thresholds_are_named_with_their_reason_once(finished: Made, plugin: None) -> None:
    assert [inline(one) for one in notes(read_results(finished.run))] == [
        "Inpatients (`inpatients`): no threshold `lesion-val`, since the cohort has no lesion validation cases.",
        "Volunteers (`volunteers`): no threshold `lesion-val`, `oracle`, since a healthy cohort has no lesions.",
    ]


def test_while_the_test_split_is_closed_the_notes_say_what_is_left_out(validation: Made, plugin: None) -> None:
    assert [inline(one) for one in notes(read_results(validation.run))] == [
        "Inpatients (`inpatients`): no validation case, nothing to show while the test split is closed.",
        "Volunteers (`volunteers`): no threshold `lesion-val`, since a healthy cohort has no lesions.",
        "No numbers under `oracle`: that needs the labels of the test split, which is closed.",
    ]


def test_cells_that_are_not_computed_yet_share_a_line(made: Made) -> None:
    for cell in made.study.cells[3:]:
        (made.run.cell(cell) / "cell.json").unlink()
    told = [str(one) for one in notes(read_results(made.run))]
    assert "ae[size=48] on volunteers, patients, inpatients, seed 0: missing, not computed yet." in told

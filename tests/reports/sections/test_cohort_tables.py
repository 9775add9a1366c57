"""The sections of numbers, in the reports of whole runs."""

from pathlib import Path

import numpy as np
from cohorts import INPATIENTS, PATIENTS, VOLUNTEERS, write_cohort
from scored_runs import Made, cells_of, make, section

from benchmark.storage.rows import read_rows


def test_a_board_gives_the_mean_of_its_rows_over_patients(finished: Made, report: str) -> None:
    rows = read_rows(finished.run.root / "rows.csv")
    chosen = rows[(rows["dataset"] == "patients") & (rows["split"] == "test") & (rows["method"] == "thresh")]
    chosen = chosen[(chosen["postprocessing"] == "paper") & (chosen["metric"] == "auprc")]
    by_patient: dict[str, list[float]] = {}
    for subject, value in zip(chosen["subject_id"], chosen["value"], strict=True):
        by_patient.setdefault(subject, []).append(value)
    wanted = np.mean([np.mean(values) for values in by_patient.values()])
    line = cells_of(section(report, "### Patients (`patients`)"), "thresh")
    assert line[1] == "2 (3 scans)"
    assert line[5].strip("*") == f"{wanted:.3f}"


def test_the_perfect_map_stands_on_every_board_of_lesions(report: str) -> None:
    for cohort in ("Patients (`patients`)", "Inpatients (`inpatients`)"):
        for part in report.split(f"### {cohort}\n")[1:3]:
            assert "*perfect map*" in part.split("\n#")[0]


def test_the_oracle_stands_apart_and_nothing_of_it_is_bold(report: str) -> None:
    matrices = report.split("## Mean Dice by")[1].split("\n## ")[0]
    for table in matrices.split("\n\n"):
        if "oracle" in table:
            assert "lesion-val" not in table
            assert "**" not in table
    assert matrices.count("has seen the test labels") == 2


def test_too_few_patients_are_called_examples_at_each_of_their_tables(report: str) -> None:
    few = "**2 patients: examples, not testable; nothing here ranks methods.**"
    parts = report.split("### Patients (`patients`)\n")
    # Leaderboard, matrix of Dice, curves and cost; the gallery holds no number.
    assert [part.count(few) for part in (part.split("\n#")[0] for part in parts[1:])] == [1, 1, 1, 1, 0]
    assert "**1 patient: examples" in section(
        report, "### Volunteers (`volunteers`), in-domain: the cohort that the methods were fitted on"
    )
    for table in report.split("## Leaderboards")[1].split("## Loss")[0].split("\n\n"):
        assert not (table.startswith("|") and "**" in table)


def test_with_patients_enough_the_board_is_sorted_and_its_best_is_bold(tmp_path: Path, plugin: None) -> None:
    write_cohort(tmp_path, VOLUNTEERS, {"train": 2, "val": 2, "test": 2})
    write_cohort(tmp_path, PATIENTS, {"val": 2, "test": 7})  # the first two are of one patient
    write_cohort(tmp_path, INPATIENTS, {"test": 2})
    report = make(tmp_path / "run", tmp_path).report(pictures=[])
    boards = report.split("## Leaderboards")[1]
    board = section(boards, "### Patients (`patients`)")
    assert "Sorted by AUPRC." in board
    assert "**" in board
    assert "In the order of the study." in section(boards, "### Inpatients (`inpatients`)")


def test_while_the_test_split_is_closed_only_cohorts_and_thresholds_that_have_numbers_are_shown(
    validation_report: str,
) -> None:
    tables = validation_report.split("## VALIDATION: Notes")[0]
    assert "npatients (`inpatients`)" not in tables
    assert "oracle" not in tables
    line = cells_of(section(validation_report, "### VALIDATION: Patients (`patients`)"), "thresh")
    assert line[1] == "2 (3 scans)"
    assert "These are the scans that the threshold was chosen on" in tables


def test_alarm_tables_say_whether_the_cohort_is_the_one_fitted_on(report: str) -> None:
    alarms = section(report, "### Volunteers (`volunteers`), in-domain: the cohort that the methods were fitted on")
    assert cells_of(alarms, "thresh")[2] == "2"
    assert "out-of-domain" not in report
    assert "These are the scans" not in report


def test_configuration_and_keys_are_listed(finished: Made, report: str) -> None:
    part = section(report, "## Resolved configuration")
    assert '["ae[size=48]"]\nsize = 48' in part
    for cell in finished.study.cells:
        assert f"{cell.cohort.dataset} `{cell.key}`" in part

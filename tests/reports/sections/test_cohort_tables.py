"""The sections of numbers, in the reports of whole runs."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_rows import cohort, lesion_rows, perfect_rows, row
from cohorts import INPATIENTS, PATIENTS, VOLUNTEERS, write_cohort
from scored_runs import SCORING, Made, cells_of, make, section

from benchmark.statistics.primary_endpoint import RELEASE, read_endpoint
from benchmark.storage.rows import read_rows
from reports.model.cohort_results import CohortResults
from reports.model.ranking import Headline, Ranking
from reports.sections.at_a_glance import short_columns
from reports.sections.cohort_tables import cut_off_table, dice_table, leaderboard
from reports.sections.healthy_false_positives import alarm_table
from reports.sections.notes import nan_table


def test_a_board_gives_the_mean_of_its_rows_over_patients(finished: Made, report: str) -> None:
    rows = read_rows(finished.run.root / "rows.csv")
    chosen = rows[(rows["dataset"] == "patients") & (rows["split"] == "test") & (rows["method"] == "thresh")]
    chosen = chosen[(chosen["postprocessing"] == "paper") & (chosen["metric"] == "auprc")]
    by_patient: dict[str, list[float]] = {}
    for subject, value in zip(chosen["subject_id"], chosen["value"], strict=True):
        by_patient.setdefault(subject, []).append(value)
    wanted = np.mean([np.mean(values) for values in by_patient.values()])
    line = cells_of(section(report, "### Patients (`patients`)"), "thresh")
    assert line[2] == "2 (3 scans)"
    assert line[6].strip("*") == f"{wanted:.3f}"


def test_the_perfect_map_stands_on_every_board_of_lesions(report: str) -> None:
    for name in ("Patients (`patients`)", "Inpatients (`inpatients`)"):
        for part in report.split(f"### {name}\n")[1:3]:
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


def test_with_patients_enough_the_methods_are_sorted_and_the_best_is_bold(tmp_path: Path, plugin: None) -> None:
    write_cohort(tmp_path, VOLUNTEERS, {"train": 2, "val": 2, "test": 2})
    write_cohort(tmp_path, PATIENTS, {"val": 2, "test": 7})  # the first two are of one patient
    write_cohort(tmp_path, INPATIENTS, {"test": 2})
    whole = replace(SCORING, postprocessing=("none",))  # the others leave little of such small lesions
    report = make(tmp_path / "run", tmp_path, scoring=whole).report(pictures=[])
    cohorts = report.split("## Leaderboards")[1]
    cohort = section(cohorts, "### Patients (`patients`)")
    assert "As they are ranked." in cohort
    assert "**" in cohort
    assert "In the order of the study." in section(cohorts, "### Inpatients (`inpatients`)")


def test_a_cohort_of_which_the_pipeline_leaves_little_is_unranked_and_nothing_of_it_is_bold(
    tmp_path: Path, plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = RELEASE.read_text(encoding="utf-8").replace("lowest_perfect_map = 0.5", "lowest_perfect_map = 1.0")
    (tmp_path / "strict.toml").write_text(strict, encoding="utf-8")
    monkeypatch.setattr(read_endpoint, "__defaults__", (tmp_path / "strict.toml",))
    write_cohort(tmp_path, VOLUNTEERS, {"train": 2, "val": 2, "test": 2})
    write_cohort(tmp_path, PATIENTS, {"val": 2, "test": 7})
    write_cohort(tmp_path, INPATIENTS, {"test": 2})
    cohorts = make(tmp_path / "run", tmp_path).report(pictures=[]).split("## Leaderboards")[1]
    part = section(cohorts, "### Patients (`patients`)")
    assert re.search(r"\*\*Unranked: on this grid a perfect map has a mean Dice of 0\.\d\d after \w+, below 1; ", part)
    assert not any(line.startswith("|") and "**" in line for line in part.splitlines())


def test_while_the_test_split_is_closed_only_cohorts_and_thresholds_that_have_numbers_are_shown(
    validation_report: str,
) -> None:
    tables = validation_report.split("## VALIDATION: Notes")[0]
    assert "npatients (`inpatients`)" not in tables
    assert "oracle" not in tables
    line = cells_of(section(validation_report, "### VALIDATION: Patients (`patients`)"), "thresh")
    assert line[2] == "2 (3 scans)"
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


GOLDEN = """
| Method                   | Patients   |         Dice (sd) |     AUPRC |   AUROC |   Precision |    Recall |   False alarms > 10 mm |   AUPRC pooled |   l1 ratio |   s a volume |
|--------------------------|------------|-------------------|-----------|---------|-------------|-----------|------------------------|----------------|------------|--------------|
| thresh (simple baseline) | 6          |     0.200 (0.219) |     0.300 |   0.750 | 0.400 [3/6] |     0.200 |                  0.010 |          0.400 |        n/a |     **0.50** |
| ae                       | 6          | **0.400 (0.000)** |     0.200 |   0.750 |       0.400 | **0.400** |                  0.010 |          0.400 |      1.500 |            - |
| gone                     | -          |                 - |         - |       - |           - |         - |                      - |              - |          - |            - |
| x\\_\\[a\\|b\\]              | 6          | **0.400 (0.110)** | **0.600** |   0.750 |       0.400 | **0.400** |                  0.010 |          0.400 |  **2.000** |         4.00 |
| *perfect map*            | 6          |     0.900 (0.000) |           |         |       1.000 |     0.800 |                        |                |            |              |
""".strip()  # noqa: E501

HEADLINE = Headline("dice", "paper", "lesion-val", "")


def five_lines(repeats: int) -> CohortResults:
    """Two patients with everything a cohort can hold, as often as that."""
    rows = [
        *lesion_rows("thresh", [0.4, 0.0] * repeats, [0.2, 0.4] * repeats),
        *lesion_rows("ae", [0.4, 0.4] * repeats, [0.1, 0.3] * repeats),
        *lesion_rows("x_[a|b]", [0.3, 0.5] * repeats, [0.7, 0.5] * repeats),
        *(row("ae", f"p{index}", "l1_ratio", 1.5) for index in range(2 * repeats)),
        *(row("x_[a|b]", f"p{index}", "l1_ratio", value) for index, value in enumerate((1.0, 4.0) * repeats)),
        *perfect_rows(2 * repeats),
    ]
    timing = [row("thresh", f"p{index}", "seconds", 0.5) for index in range(2 * repeats)]
    timing += [row("x_[a|b]", f"p{index}", "seconds", 4.0) for index in range(2 * repeats)]
    return cohort(rows, timing, **{"thresh": 1, "ae": 1, "gone": 1, "x_[a|b]": 1})


def test_leaderboard_of_five_lines_is_this_text() -> None:
    assert leaderboard(five_lines(3), HEADLINE) == GOLDEN


def test_the_interval_stands_beside_the_number_that_it_is_of() -> None:
    board, headline = cohort(lesion_rows("ae", [0.2] * 6, [0.5] * 6), ae=1), replace(HEADLINE, metric="recall")
    lines = pd.DataFrame([{"method": "ae", "metric": "recall", "question": "this recipe", "level": 0.95, "low": 0.1,
                           "high": 0.3, "coverage": 0.95, "rank_low": 1.0, "rank_high": 1.0, "mean": 0.2}])  # fmt: skip
    text = leaderboard(board, headline, Ranking(lines, lines[:0], "this recipe")).splitlines()
    assert [cell.strip() for cell in text[0].split("|")[3:6]] == ["Recall (sd)", "95 % interval", "Rank"]
    assert [cell.strip() for cell in text[2].split("|")[3:6]] == ["0.200 (0.000)", "0.100 to 0.300", "1"]
    assert short_columns(board, headline)[0].title == "Recall"


def test_a_leaderboard_of_few_patients_ranks_nothing() -> None:
    few = leaderboard(five_lines(2), HEADLINE)
    assert "**" not in few
    assert [line.split("|")[1].strip() for line in few.splitlines()[2:5]] == ["thresh (simple baseline)", "ae", "gone"]


def test_what_uses_labels_stands_below_the_methods_and_is_never_the_best() -> None:
    supervision = {"thresh": "none", "ae": "lesion labels"}
    lines = leaderboard(replace(five_lines(3), supervision=supervision), HEADLINE).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if "a\\|b" not in line]
    assert cells[0][:4] == ["Method", "Supervision", "Patients", "Dice (sd)"]
    assert [line[0] for line in cells[2:]] == [
        "thresh (simple baseline)",
        "gone",
        "ae (uses lesion labels)",
        "*perfect map*",
    ]
    assert [line[1] for line in cells[2:]] == ["none", "-", "lesion labels", ""]
    assert not any("**" in cell for cell in cells[4])
    few = leaderboard(replace(five_lines(2), supervision=supervision), HEADLINE).splitlines()
    assert [line.split("|")[1].strip() for line in few[-2:]] == ["ae (uses lesion labels)", "*perfect map*"]


def test_several_seeds_are_averaged_and_their_range_and_number_shown() -> None:
    rows = [
        *lesion_rows("ae", [0.2, 0.4], [0.5, 0.5], seed=0),
        *lesion_rows("ae", [0.6, 0.8], [0.5, 0.5], seed=1),
        *lesion_rows("vae", [0.1, 0.1], [0.1, 0.1], seed=0),
    ]
    lines = leaderboard(cohort(rows, ae=2, vae=2), HEADLINE).splitlines()
    cells = [[cell.strip() for cell in line.split("|")[1:6]] for line in lines]
    assert cells[0] == ["Method", "Patients", "Seeds", "Dice over seeds", "Dice (sd)"]
    assert cells[2] == ["ae", "2", "2", "0.300 to 0.700", "0.500 (0.141)"]
    assert cells[3] == ["vae (1 of 2 seeds)", "2", "1 of 2", "-", "0.100 (0.000) [2/4]"]


def test_dice_table_gives_the_perfect_map_of_each_chain_whatever_the_protocol() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *perfect_rows()]
    lines = dice_table(cohort(rows, ae=1), ["paper", "light"], ["lesion-val"], marked=True).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["ae", "0.300", "-"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["*perfect map*", "0.900", ""]


def test_the_best_dice_is_bold_only_where_asked_for_and_over_patients_enough() -> None:
    rows = {
        size: cohort(
            [*lesion_rows("ae", [0.3] * size, [0.5] * size), *lesion_rows("vae", [0.1] * size, [0.5] * size)],
            ae=1,
            vae=1,
        )
        for size in (5, 6)
    }
    assert "**0.300**" in dice_table(rows[6], ["paper"], ["lesion-val"], marked=True)
    assert "**" not in dice_table(rows[6], ["paper"], ["lesion-val"], marked=False)
    assert "**" not in dice_table(rows[5], ["paper"], ["lesion-val"], marked=True)


def test_alarm_table_counts_scans_and_gives_quartiles_over_people() -> None:
    rows = [row("ae", "", "threshold", 0.5, "paper healthy-fpr-1")]
    for index, fraction in enumerate((0.0, 0.1, 0.2, 0.3, 0.4)):
        values = {"alarm": float(fraction > 0), "alarms": index, "alarm_ml": 2 * index, "alarm_fraction": fraction}
        rows += [row("ae", f"p{index}", name, value, "paper healthy-fpr-1") for name, value in values.items()]
    line = alarm_table(cohort(rows, cases="healthy", ae=1), ["paper"], "healthy-fpr-1").splitlines()[2]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells == ["ae", "paper", "5", "0.80", "2.0", "4.0", "0.2000", "0.1000", "0.3000"]


def test_a_method_without_rows_has_one_line_of_alarms() -> None:
    rows = [
        row("ae", "", "threshold", 0.5, "paper healthy-fpr-1"),
        row("ae", "p0", "alarm", 1.0, "paper healthy-fpr-1"),
    ]
    lines = alarm_table(cohort(rows, cases="healthy", ae=1, gone=1), ["paper", "light"], "healthy-fpr-1").splitlines()[
        2:
    ]
    assert [line.split("|")[1].strip() for line in lines] == ["ae", "ae", "gone"]
    assert {cell.strip() for cell in lines[2].split("|")[2:-1]} == {"-"}


def test_cut_off_table_counts_a_patient_once_however_many_methods_there_are() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *lesion_rows("vae", [0.1, 0.1], [0.5, 0.5])]
    line = cut_off_table({"lgg": cohort(rows, ae=1, vae=1), "msl": cohort([], ae=1)}).splitlines()
    assert [cell.strip() for cell in line[2].split("|")[1:-1]] == [
        *("lgg", "2", "15.00"),
        *("0.50", "1.00", "1 of 2"),
        *("0.12", "0.25", "1 of 2"),
    ]
    assert [cell.strip() for cell in line[3].split("|")[1:-1]] == ["msl", *["-"] * 8]


def test_nan_table_lists_what_is_undefined_and_nothing_else() -> None:
    lines = nan_table({"lgg": cohort(lesion_rows("ae", [0.0, 0.4], [0.5, 0.5]), ae=1)}).splitlines()
    assert len(lines) == 3
    assert "precision" in lines[2]
    assert "1 of 2" in lines[2]
    assert nan_table({"lgg": cohort(lesion_rows("ae", [0.3, 0.4], [0.5, 0.5]), ae=1)}) == ""

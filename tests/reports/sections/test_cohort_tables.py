"""The sections of numbers, in the reports of whole runs and of cohorts by hand."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cohort_rows import cohort, lesion_rows, perfect_rows, row
from cohorts import INPATIENTS, PATIENTS, VOLUNTEERS, write_cohort
from scored_runs import SCORING, Made, lines_of, make, section, tables, text_of

from benchmark.statistics.primary_endpoint import RELEASE, read_endpoint
from benchmark.storage.rows import read_rows
from reports.content.blocks import tables_of
from reports.content.table import Table
from reports.content.text import as_text
from reports.document import Document
from reports.model.cohort_results import CohortResults
from reports.model.ranking import Headline, Ranking
from reports.sections.cohort_tables import cut_off_table, dice_table, leaderboard
from reports.sections.healthy_false_positives import postprocessing_table
from reports.sections.notes import undefined_table

FIRST = "patients-paper-healthy-fpr-1"


def best_of(table: Table) -> list[str]:
    """The lines in which anything is the best of its column."""
    return [str(row[0].text) for row in table.rows if any(cell.best for cell in row)]


def enough(folder: Path) -> Path:
    """Cohorts of which one has patients enough; the first two cases are of one patient."""
    write_cohort(folder, VOLUNTEERS, {"train": 2, "val": 2, "test": 2})
    write_cohort(folder, PATIENTS, {"val": 2, "test": 7})
    write_cohort(folder, INPATIENTS, {"test": 2})
    return folder


def test_a_table_gives_the_mean_of_its_rows_over_patients(finished: Made, document: Document) -> None:
    rows = read_rows(finished.run.root / "rows.csv")
    chosen = rows[(rows["dataset"] == "patients") & (rows["split"] == "test") & (rows["method"] == "thresh")]
    chosen = chosen[(chosen["postprocessing"] == "paper") & (chosen["metric"] == "auprc")]
    by_patient: dict[str, list[float]] = {}
    for subject, value in zip(chosen["subject_id"], chosen["value"], strict=True):
        by_patient.setdefault(subject, []).append(value)
    wanted = np.mean([np.mean(values) for values in by_patient.values()])
    line = tables(document)[FIRST]["thresh (simple baseline)"]
    assert line["Patients"] == "2 (3 scans)"
    assert line["AUPRC"] == f"{wanted:.3f}"


def test_the_perfect_map_stands_in_every_table_of_lesions(document: Document) -> None:
    found = tables(document)
    for name in (
        FIRST,
        "inpatients-paper-healthy-fpr-1",
        "patients-endpoint",
        "inpatients-endpoint",
        "patients-dice-choices",
    ):
        assert list(found[name])[-1] == "perfect map"


def test_the_oracle_stands_apart_and_nothing_of_it_is_the_best(tmp_path: Path, plugin: None) -> None:
    found = {one.name: one for one in tables_of(make(tmp_path / "run", enough(tmp_path)).document(pictures=[]).blocks)}
    assert [column.title for column in found["patients-dice-bounds"].columns][1:] == ["paper, oracle", "none, oracle"]
    assert best_of(found["patients-dice-bounds"]) == []
    assert "has seen the test labels" in str(found["patients-dice-bounds"].caption)
    assert not any("oracle" in column.title for column in found["patients-dice-choices"].columns)


def test_of_too_few_patients_nothing_is_the_best_and_every_part_says_why(document: Document) -> None:
    few = "2 patients: examples, not testable; nothing here ranks methods."
    text = text_of(document.blocks)
    assert few in text.split("## Explore")[0]
    assert few in section(text, "All metrics")
    assert few in section(text, "Quality against time and memory")
    assert not any(best_of(table) for table in tables_of(document.blocks))


def test_with_patients_enough_the_methods_are_sorted_and_the_best_is_marked(tmp_path: Path, plugin: None) -> None:
    whole = replace(SCORING, postprocessing=("none",))  # the others leave little of such small lesions
    found = {
        one.name: one
        for one in tables_of(make(tmp_path / "run", enough(tmp_path), scoring=whole).document(pictures=[]).blocks)
    }
    table = found["patients-none-healthy-fpr-1"]
    dice = [
        row[next(place for place, column in enumerate(table.columns) if column.title == "Dice")] for row in table.rows
    ]
    assert dice[0].value >= dice[1].value
    assert best_of(table)
    assert not best_of(found["inpatients-none-healthy-fpr-1"])


def test_a_cohort_of_which_the_pipeline_leaves_little_is_unranked_and_nothing_of_it_is_the_best(
    tmp_path: Path, plugin: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = RELEASE.read_text(encoding="utf-8").replace("lowest_perfect_map = 0.5", "lowest_perfect_map = 1.0")
    (tmp_path / "strict.toml").write_text(strict, encoding="utf-8")
    monkeypatch.setattr(read_endpoint, "__defaults__", (tmp_path / "strict.toml",))
    document = make(tmp_path / "run", enough(tmp_path)).document(pictures=[])
    text = text_of(document.blocks)
    assert re.search(r"\*\*Unranked: on this grid a perfect map has a mean Dice of 0\.\d\d after \w+, below 1; ", text)
    assert not any(best_of(table) for table in tables_of(document.blocks) if table.name.startswith("patients"))


def test_while_the_test_split_is_closed_only_cohorts_and_thresholds_that_have_numbers_are_shown(
    validation: Made, validation_report: str, plugin: None
) -> None:
    shown = validation_report.split("### VALIDATION: What is missing")[0]
    assert "npatients (`inpatients`)" not in shown
    assert "oracle" not in shown
    assert tables(validation.document(pictures=[]))[FIRST]["thresh (simple baseline)"]["Patients"] == "2 (3 scans)"
    assert "these are the scans that the threshold was chosen on" in shown


def test_false_positives_say_whether_the_cohort_is_the_one_fitted_on(document: Document) -> None:
    found = tables(document)
    assert {"Any, volunteers (in-domain)"} <= set(found["healthy-false-positives"]["ae[size=48]"])
    assert found["volunteers-healthy"]["ae[size=48]"]["Scans"] == "2"
    text = text_of(document.blocks)
    assert "out-of-domain" not in text
    assert "these are the scans that the threshold" not in text


def test_configuration_and_keys_are_listed(finished: Made, report: str) -> None:
    part = section(report, "Resolved configuration")
    assert '["ae[size=48]"]\nsize = 48' in part
    for cell in finished.study.cells:
        assert f"{cell.cohort.dataset} `{cell.key}`" in report


HEADLINE = Headline("dice", "paper", "lesion-val", as_text(""))


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


def board(results: CohortResults) -> Table:
    return leaderboard("lgg", results, HEADLINE)


def test_a_table_of_five_lines_reads_so() -> None:
    made = board(five_lines(3))
    lines = lines_of(made)
    assert list(lines) == ["thresh (simple baseline)", "ae", "gone", "x_[a|b]", "perfect map"]
    assert lines["thresh (simple baseline)"] == {
        "Method": "thresh (simple baseline)", "Patients": "6", "Dice": "0.200", "s.d. over patients": "0.219",
        "AUPRC": "0.300", "AUROC": "0.750", "Precision": "0.400 [3/6]", "Recall": "0.200",
        "False positives > 10 mm away": "0.010", "AUPRC pooled": "0.400", "l1 ratio": "n/a", "Time a volume": "0.50",
    }  # fmt: skip
    assert set(lines["gone"].values()) == {"gone", ""}
    assert lines["x_[a|b]"]["l1 ratio"] == "2.000"
    assert [lines["perfect map"][title] for title in ("Dice", "AUPRC", "Recall")] == ["0.900", "", "0.800"]
    dice = {str(row[0].text): row[2].best for row in made.rows}
    assert [name for name, best in dice.items() if best] == ["ae", "x_[a|b]"]


def test_the_interval_stands_beside_the_number_that_it_is_of() -> None:
    results, headline = cohort(lesion_rows("ae", [0.2] * 6, [0.5] * 6), ae=1), replace(HEADLINE, metric="recall")
    lines = pd.DataFrame([{"method": "ae", "metric": "recall", "postprocessing": "paper", "protocol": "lesion-val",
                           "question": "this training procedure",
                           "level": 0.95, "low": 0.1, "high": 0.3, "coverage": 0.95,
                           "rank_low": 1.0, "rank_high": 1.0, "mean": 0.2}])  # fmt: skip
    made = lines_of(leaderboard("lgg", results, headline, Ranking(lines, lines[:0], "this training procedure")))
    assert made["ae"]["Recall"] == "0.200 (0.100 to 0.300)"


def test_of_few_patients_nothing_is_ranked() -> None:
    few = board(five_lines(2))
    assert best_of(few) == []
    assert list(lines_of(few))[:3] == ["thresh (simple baseline)", "ae", "gone"]


def test_what_uses_labels_stands_below_the_methods_and_is_never_the_best() -> None:
    supervision = {"thresh": "none", "ae": "lesion labels"}
    made = board(replace(five_lines(3), supervision=supervision))
    lines = lines_of(made)
    assert list(lines) == ["thresh (simple baseline)", "gone", "x_[a|b]", "ae (uses lesion labels)", "perfect map"]
    assert [line["Supervision"] for line in lines.values()] == ["none", "", "", "lesion labels", ""]
    assert "ae (uses lesion labels)" not in best_of(made)
    few = lines_of(board(replace(five_lines(2), supervision=supervision)))
    assert list(few)[-2:] == ["ae (uses lesion labels)", "perfect map"]


def test_several_seeds_are_averaged_and_their_range_and_number_shown() -> None:
    rows = [
        *lesion_rows("ae", [0.2, 0.4], [0.5, 0.5], seed=0),
        *lesion_rows("ae", [0.6, 0.8], [0.5, 0.5], seed=1),
        *lesion_rows("vae", [0.1, 0.1], [0.1, 0.1], seed=0),
    ]
    lines = lines_of(board(cohort(rows, ae=2, vae=2)))
    titles = ("Patients", "Seeds", "Dice over seeds", "Dice", "s.d. over patients")
    assert [lines["ae"][title] for title in titles] == ["2", "2", "0.300 to 0.700", "0.500", "0.141"]
    assert [lines["vae (1 of 2 seeds)"][title] for title in titles[:4]] == ["2", "1 of 2", "", "0.100 [2/4]"]


def test_dice_table_gives_the_perfect_map_of_each_pipeline_whatever_the_protocol() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *perfect_rows()]
    lines = lines_of(dice_table("lgg", cohort(rows, ae=1), ["paper", "light"], ["lesion-val"], marked=True))
    assert lines["ae"] == {"Method": "ae", "paper, lesion-val": "0.300"}
    assert lines["perfect map"]["paper, lesion-val"] == "0.900"


def test_the_best_dice_is_marked_only_where_asked_for_and_over_patients_enough() -> None:
    made = {
        size: cohort(
            [*lesion_rows("ae", [0.3] * size, [0.5] * size), *lesion_rows("vae", [0.1] * size, [0.5] * size)],
            ae=1,
            vae=1,
        )
        for size in (5, 6)
    }
    assert best_of(dice_table("lgg", made[6], ["paper"], ["lesion-val"], marked=True)) == ["ae"]
    assert best_of(dice_table("lgg", made[6], ["paper"], ["lesion-val"], marked=False)) == []
    assert best_of(dice_table("lgg", made[5], ["paper"], ["lesion-val"], marked=True)) == []


def test_false_positives_by_post_processing_count_scans_and_give_quartiles_over_people() -> None:
    rows = [row("ae", "", "threshold", 0.5, "paper healthy-fpr-1")]
    for index, fraction in enumerate((0.0, 0.1, 0.2, 0.3, 0.4)):
        values = {"alarm": float(fraction > 0), "alarms": index, "alarm_ml": 2 * index, "alarm_fraction": fraction}
        rows += [row("ae", f"p{index}", name, value, "paper healthy-fpr-1") for name, value in values.items()]
    made = postprocessing_table("ixi", cohort(rows, cases="healthy", ae=1), ["paper"], "healthy-fpr-1")
    assert list(lines_of(made)["ae"].values()) == [
        "ae", "paper", "5", "0.80", "2.0", "4.0", "0.2000", "0.1000", "0.3000",
    ]  # fmt: skip


def test_a_method_without_rows_has_one_line_of_false_positives() -> None:
    rows = [
        row("ae", "", "threshold", 0.5, "paper healthy-fpr-1"),
        row("ae", "p0", "alarm", 1.0, "paper healthy-fpr-1"),
    ]
    made = postprocessing_table("ixi", cohort(rows, cases="healthy", ae=1, gone=1), ["paper", "light"], "healthy-fpr-1")
    assert [str(line[0]) for line in made.shown()] == ["ae", "ae", "gone"]
    assert not any(map(str, made.shown()[2][1:]))


def test_cut_off_table_counts_a_patient_once_however_many_methods_there_are() -> None:
    rows = [*lesion_rows("ae", [0.2, 0.4], [0.5, 0.5]), *lesion_rows("vae", [0.1, 0.1], [0.5, 0.5])]
    made = cut_off_table({"lgg": cohort(rows, ae=1, vae=1), "msl": cohort([], ae=1)})
    assert [str(cell) for cell in made.shown()[0]] == ["lgg", "2", "15.00", "0.50", "1.00", "1", "0.12", "0.25", "1"]
    assert [str(cell) for cell in made.shown()[1]][2:] == [""] * 7


def test_the_table_of_undefined_numbers_lists_what_is_undefined_and_nothing_else() -> None:
    made = undefined_table({"lgg": cohort(lesion_rows("ae", [0.0, 0.4], [0.5, 0.5]), ae=1)})
    assert [[str(cell) for cell in row][:4] for row in made.shown()] == [["lgg", "precision", "1", "2"]]
    assert not undefined_table({"lgg": cohort(lesion_rows("ae", [0.3, 0.4], [0.5, 0.5]), ae=1)})

"""What a run prints at its end."""

from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
from cohorts import INPATIENTS, PATIENTS, VOLUNTEERS, write_cohort
from scored_runs import SCORING, Made, make, tables

from datasets.errors import MissingData
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import as_text
from reports.document import Document
from reports.formats.terminal import plain, terminal_text


def block(text: str, start: str) -> list[str]:
    """The lines of the paragraph that begins so."""
    (found,) = (part for part in text.split("\n\n") if part.startswith(start))
    return found.splitlines()


def test_the_verdict_comes_first_and_tables_hold_the_numbers_of_the_report(
    finished: Made, document: Document, plugin: None
) -> None:
    text = terminal_text(finished.run)
    assert text.startswith("Patients (patients). 2 patients: examples, not testable; nothing here ranks methods.")
    lines = block(text, "Exploratory: Patients (patients), 2 patients: Dice, post-processing paper")
    dice = tables(document)["patients-endpoint"]["ae[size=48]"]["Dice"]
    (own,) = (line for line in lines if line.startswith("ae[size=48]"))
    assert own.split()[1] == dice
    assert [line.split()[0] for line in lines[-3:]] == ["thresh", "ae[size=48]", "perfect"]


def test_verdicts_and_best_numbers_alone_are_emphasised_and_nothing_moves(finished: Made, plugin: None) -> None:
    text = terminal_text(finished.run, 80, lambda line: f"\x1b[1m{line}\x1b[0m")
    assert text.replace("\x1b[1m", "").replace("\x1b[0m", "") == terminal_text(finished.run, 80)
    verdict = list(takewhile(lambda line: not line or line.startswith("\x1b[1m"), text.splitlines()))
    assert " ".join(verdict).count("nothing here ranks") == 2
    assert "\x1b" not in "".join(text.splitlines()[len(verdict) :])  # nothing is best where nothing is tested

    rows = [[said("ae"), Cell(0.5, best=True)], [said("zscore"), Cell(0.25)]]
    made = [Table("ranks", as_text("Ranks"), [*text_columns("Method"), Column("Dice")], rows)]
    shown = plain(made, 80, lambda line: f"<{line}>")
    assert [line.split()[-1] for line in shown.splitlines()[-2:]] == ["<0.500>", "0.250"]


def test_healthy_cohorts_give_what_each_method_flags(finished: Made, document: Document, plugin: None) -> None:
    lines = block(terminal_text(finished.run), "Exploratory: False positives in healthy scans.")
    shown = tables(document)["healthy-false-positives"]["ae[size=48]"]
    (own,) = (line for line in lines if line.startswith("ae[size=48]"))
    assert shown["Any, volunteers (in-domain)"] in own


def test_notes_stand_last_without_markup(finished: Made, plugin: None) -> None:
    text = terminal_text(finished.run)
    notes = block(text, "- Single seed: nothing is claimed of a training procedure, only of the trained model.")
    assert any(line.startswith("- Inpatients (inpatients): no threshold lesion-val, since") for line in notes)
    assert text.endswith("\n".join(notes))
    assert not {"`", "*", "\\"} & {*text}


def test_validation_is_said_at_each_title_and_empty_cohorts_once(validation: Made, plugin: None) -> None:
    text = terminal_text(validation.run)
    assert block(text, "VALIDATION: Patients (patients)")
    assert text.count("npatients (inpatients)") == 1
    assert "- No numbers under oracle" in text


@pytest.mark.parametrize("width", [80, 100, 160])
def test_no_line_is_wider_than_the_terminal_and_what_is_left_out_is_named(width: int) -> None:
    long = "ae[size=48,steps=1000,batch_size=8,learning_rate=0.001,augment=False,precision=bf16,validate_every=10]"
    columns = [*text_columns("Method"), *(Column(f"Metric number {place}", "ml", True) for place in range(9))]
    rows = [[said(name), *(Cell(0.5, 0.25, 0.75) for _ in range(9))] for name in (long, "thresh")]
    shown = plain([Table("t", as_text("Numbers."), columns, rows)], width)
    assert max(map(len, shown.splitlines())) <= width
    assert "thresh" in shown
    named = " ".join(shown.split("Not shown")[-1].split())
    held = sum(f"number {place} (ml)" in named for place in range(9))
    assert shown.count("0.500 (0.250 to 0.750)") == 2 * (9 - held)
    assert held > 0


def test_the_best_method_stands_first_where_there_are_patients_enough(tmp_path: Path, plugin: None) -> None:
    write_cohort(tmp_path, VOLUNTEERS, {"train": 2, "val": 2, "test": 2})
    write_cohort(tmp_path, PATIENTS, {"val": 2, "test": 7})
    write_cohort(tmp_path, INPATIENTS, {"test": 2})
    whole = replace(SCORING, postprocessing=("none",))  # the others leave little of such small lesions
    text = terminal_text(make(tmp_path / "run", tmp_path, methods=("ae", "thresh", "dae"), scoring=whole).run)
    assert text.startswith("Patients (patients). thresh leads, Dice 0.")
    assert "shown to be better than each of the 2 other ranked methods." in " ".join(text.split())
    lines = block(text, "Exploratory: Patients (patients), ")
    assert next(line.split()[0] for line in lines if line.startswith(("ae", "dae", "thresh", "perfect"))) == "thresh"


def test_a_run_that_is_not_scored_says_so(made: Made) -> None:
    (made.run.root / "rows.csv").unlink()
    with pytest.raises(MissingData, match="python -m benchmark evaluate"):
        terminal_text(made.run)

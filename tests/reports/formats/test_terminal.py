"""What a run prints at its end."""

from dataclasses import replace
from pathlib import Path

import pytest
from cohorts import INPATIENTS, PATIENTS, VOLUNTEERS, write_cohort
from scored_runs import SCORING, Made, cells_of, make, section

from datasets.errors import MissingData
from reports.formats.terminal import WIDTH, terminal_text


def block(text: str, start: str) -> list[str]:
    """The lines of the paragraph that begins so."""
    (found,) = (part for part in text.split("\n\n") if part.startswith(start))
    return found.splitlines()


def test_a_board_names_its_choice_and_holds_the_numbers_of_the_report(
    finished: Made, report: str, plugin: None
) -> None:
    lines = block(terminal_text(finished.run), "Patients (patients): post-processing paper, threshold healthy-fpr-1")
    assert lines[1] == "2 patients: examples, not testable; nothing here ranks methods."
    assert lines[2].split("  ")[0] == "Method"
    assert [line.split()[0] for line in lines[4:]] == ["thresh", "ae[size=48]", "perfect"]
    cohort = cells_of(section(report, "### Patients (`patients`)"), "thresh")
    dice, auprc, auroc, far, seconds = cohort[3].split()[0], cohort[6], cohort[7], cohort[10], cohort[13]
    assert lines[4].split() == ["thresh", "(simple", "baseline)", "2", "(3", "scans)", dice, auprc, auroc, far, seconds]


def test_healthy_cohorts_give_the_alarmed_share_of_each_method(finished: Made, report: str, plugin: None) -> None:
    lines = block(terminal_text(finished.run), "Volunteers (volunteers), healthy, in-domain: median share")
    alarms = section(report, "### Volunteers (`volunteers`), in-domain: the cohort that the methods were fitted on")
    shares = {name: float(cells_of(alarms, name)[6]) for name in ("thresh", "ae")}
    text = " ".join(line.strip() for line in lines)
    assert "(paper, healthy-fpr-1): thresh " in text
    shown = {
        part.split()[0].partition("[")[0]: float(part.split()[1].rstrip("%."))
        for part in text.split("): ")[1].split(". ")[0].split(", ")
    }
    assert shown == pytest.approx({name: 100 * share for name, share in shares.items()}, abs=0.011)
    assert "1 patient: examples, not testable" in text


def test_notes_stand_last_without_markup(finished: Made, plugin: None) -> None:
    text = terminal_text(finished.run)
    notes = block(text, "- Single seed: these numbers describe these weights, not the recipe.")
    assert any(line.startswith("- Inpatients (inpatients): no threshold lesion-val, since") for line in notes)
    assert text.endswith("\n".join(notes))
    assert not {"`", "*", "\\"} & {*text}


def test_validation_is_said_at_each_title_and_empty_cohorts_once(validation: Made, plugin: None) -> None:
    text = terminal_text(validation.run)
    assert block(text, "VALIDATION: Patients (patients)")
    assert block(text, "VALIDATION: Volunteers (volunteers), healthy, in-domain")
    assert text.count("npatients (inpatients)") == 1
    assert "- No numbers under oracle" in text


def test_no_line_is_wider_than_the_terminal(tmp_path: Path, data: Path, plugin: None) -> None:
    long = "ae[size=48,steps=1000,batch_size=8,learning_rate=0.001,augment=False,precision=bf16,validate_every=10]"
    made = make(tmp_path / "run", data, methods=(long, "thresh"), failing=[("thresh", "patients")])
    lines = terminal_text(made.run).splitlines()
    assert max(map(len, lines)) <= WIDTH
    (table,) = (
        "".join(line.split()[0] for line in part.splitlines()[4:])
        for part in terminal_text(made.run).split("\n\n")
        if part.startswith("Patients")
    )
    assert table.startswith("ae[size=48,steps=1000")
    assert "thresh" in table


def test_the_best_method_stands_first_where_there_are_patients_enough(tmp_path: Path, plugin: None) -> None:
    write_cohort(tmp_path, VOLUNTEERS, {"train": 2, "val": 2, "test": 2})
    write_cohort(tmp_path, PATIENTS, {"val": 2, "test": 7})
    write_cohort(tmp_path, INPATIENTS, {"test": 2})
    whole = replace(SCORING, postprocessing=("none",))  # the others leave little of such small lesions
    text = terminal_text(make(tmp_path / "run", tmp_path, methods=("ae", "thresh", "dae"), scoring=whole).run)
    verdict, board = (part for part in text.split("\n\n") if part.startswith("Patients (patients)"))
    assert verdict.startswith("Patients (patients): thresh is shown to be better than each of the 2 others.")
    lines = board.splitlines()[3:]
    areas = [float(line.split()[-4]) for line in lines[:-1]]
    assert areas == sorted(areas, reverse=True)
    assert lines[-1].startswith("perfect map")
    assert "examples" not in " ".join(lines)


def test_a_run_that_is_not_scored_says_so(made: Made) -> None:
    (made.run.root / "rows.csv").unlink()
    with pytest.raises(MissingData, match="python -m benchmark evaluate"):
        terminal_text(made.run)

"""What a report says of the methods' data cards, and of fits that have lost theirs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from scored_runs import FITTED, Made, cells_of, make, section

from benchmark.methods.card import Card
from benchmark.storage.fits import DataCard, write_card, write_fit
from benchmark.storage.rows import Row, read_rows
from benchmark.storage.run_tables import write_run_rows
from datasets.errors import BadFile
from reports.formats.terminal import terminal_text

AE = Card("healthy scans", "healthy slices", "the paper's", departures=("One.", "two"))
TOLD = Card("lesion labels", "nothing", "nothing")


def keep(made: Made, method: str, card: Card | None, **changes: object) -> None:
    """Leave a data card with every fit of a method."""
    kept = DataCard(card, "volunteers", "t1", {}, 3, 3, 0, 400, 12345, 9.0)
    for fit in made.study.fits:
        if fit.method == method:
            write_card(made.run.fit(fit), replace(kept, **changes))  # type: ignore[arg-type]
            write_fit(made.run.fit(fit), fit, FITTED)


def stage(name: str) -> dict[str, object]:
    """What a training that waits a quarter of its time for data says of a stage."""
    return {"name": name, "steps_per_second": 20.0, "data_wait_fraction": 0.25}


def test_a_card_or_fit_that_is_gone_is_named(made: Made) -> None:
    for name in ("card.json", "fit.json"):
        path = next(made.run.root.glob(f"fits/ae*/{name}"))
        aside = path.rename(path.with_name("aside"))
        with pytest.raises(BadFile, match=f"{name}: missing"):
            made.report(pictures=[])
        aside.rename(path)


def test_each_method_has_a_line_and_each_threshold_says_what_chose_it(made: Made) -> None:
    keep(made, "ae[size=48]", AE)
    report = made.report(pictures=[])
    part = section(report, "Data cards")
    assert cells_of(part, "ae")[1:] == [
        "healthy scans", "healthy slices", "the paper's",
        "volunteers, t1: 3 to train on, 3 to validate on", "400", "12,345",
    ]  # fmt: skip
    volunteers = "volunteers, t1: 3 to train on, 3 to validate on"
    assert cells_of(part, "thresh")[1:] == ["none", "Nothing.", "Nothing.", volunteers, "", "0"]
    assert cells_of(part, "`healthy-fpr-1`") == ["`healthy-fpr-1`", "healthy validation scans, no label"]
    assert cells_of(part, "`lesion-val`") == ["`lesion-val`", "lesion labels of the validation cases"]
    assert "lesion labels of the test cases: an upper bound, never ranked" in part
    assert "\n- **ae\\[size=48\\]**. Departs from its papers: One; two." in part
    cohort = section(report, "All metrics")
    assert cells_of(cohort, "Method")[:2] == ["Method", "Supervision"]
    assert [cells_of(cohort, name)[1] for name in ("thresh", "ae")] == ["none", "healthy scans"]


def test_a_plugin_without_a_card_and_speeds_are_shown_as_far_as_known(made: Made) -> None:
    keep(made, "ae[size=48]", None, training=(stage("train"),), steps=None)
    part = section(made.report(pictures=[]), "Data cards")
    assert cells_of(part, "ae")[1:4] == ["", "", ""]
    assert cells_of(part, "ae")[5] == ""
    assert "\n- **ae\\[size=48\\]**. 20.0 steps/s (train), 25 % waiting for data." in part
    assert "Departs" not in part


def test_the_speed_of_each_stage_is_a_sentence_before_the_departures(made: Made) -> None:
    untimed = {"name": "warm_up"}
    keep(made, "ae[size=48]", AE, training=(stage("pre_train"), untimed, stage("train")))
    keep(made, "thresh", TOLD)
    part = section(made.report(pictures=[]), "Data cards")
    assert (
        "- **ae\\[size=48\\]**. 20.0 steps/s (pre\\_train), 25 % waiting for data. 20.0 steps/s (train), 25 % waiting "
        "for data. Departs from its papers: One; two." in part
    )


@pytest.fixture
def told(made: Made) -> Made:
    """`ae` is taken for a method that uses labels; as such it has no threshold from healthy scans."""
    keep(made, "ae[size=48]", TOLD)
    path = made.run.root / "rows.csv"
    rows = [Row(**values) for values in read_rows(path).to_dict("records")]  # type: ignore[misc]
    write_run_rows(made.run, path.name, _without_healthy_threshold(rows))
    return made


def _without_healthy_threshold(rows: Sequence[Row]) -> list[Row]:
    touched = [one for one in rows if one.method.startswith("ae") and one.protocol == "healthy-fpr-1"]
    nans = [replace(one, value=float("nan")) for one in touched if one.metric == "threshold"]
    return [*(one for one in rows if one not in touched), *nans]


def test_what_uses_labels_says_so_in_words_and_in_every_table(told: Made) -> None:
    report = told.report(pictures=[])
    assert (
        "> **Uses lesion labels** (ae\\[size=48\\]): maps are made of the lesion masks of the other patients" in report
    )
    lines = [line for line in report.splitlines() if line.startswith("| ae")]
    assert len(lines) > 6
    assert all(line.startswith("| ae\\[size=48\\] (uses lesion labels)") for line in lines)


def test_what_uses_labels_stands_last_wherever_methods_are_listed(tmp_path: Path, data: Path, plugin: None) -> None:
    made = make(tmp_path / "run", data, methods=("ae[size=48]", "thresh", "dae"))
    keep(made, "ae[size=48]", replace(TOLD, departures=("one",)))
    keep(made, "dae", AE)
    report = made.report(pictures=[])
    tables = [table for table in report.split("\n\n") if table.startswith("| Method")]
    assert len(tables) > 6
    for table in tables:
        told = ["uses lesion labels" in line for line in table.splitlines()[2:] if "perfect map" not in line]
        assert told == sorted(told)
        assert told[-1]
    (methods,) = (line for line in report.splitlines() if line.startswith("- **Methods**"))
    assert methods.endswith("thresh (simple baseline), dae, ae\\[size=48\\] (uses lesion labels)")
    for heading in ("Data cards", "Keys of 3 fits and 9 cells"):
        items = [line for line in section(report, heading).splitlines() if line.startswith("- **")]
        assert items[-1].startswith("- **ae\\[size=48\\]**")
    shown = terminal_text(made.run)
    flagged = shown[shown.index("False positives in healthy scans") :]
    assert flagged.index("thresh ") < flagged.index("dae ") < flagged.index("ae[size=48] (uses")


def test_its_undefined_thresholds_are_shown_as_such_and_blamed_on_no_cohort(told: Made, plugin: None) -> None:
    report = told.report(pictures=[])
    flagged = section(report, "False positives in healthy scans by post-processing")
    assert set(cells_of(flagged, "ae")[3:]) == {"n/a"}
    assert "n/a" not in cells_of(flagged, "thresh")
    said = section(report, "### What is missing, and audit warnings")
    assert "- ae\\[size=48\\]: no threshold `healthy-fpr-1`, undefined by decision: of healthy scans" in said
    assert "healthy-fpr-1`, since" not in said
    assert "every threshold defined" not in said
    assert "Uses lesion labels" in terminal_text(told.run)


def test_cards_of_several_seeds_make_one_line(tmp_path: Path, data: Path, plugin: None) -> None:
    made = make(tmp_path / "run", data, seeds=(0, 1))
    keep(made, "ae[size=48]", AE)
    part = section(made.report(pictures=[]), "Data cards")
    assert sum(line.startswith("| ae") for line in part.splitlines()) == 1

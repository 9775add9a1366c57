"""Cells under shifts: planned, mapped, scored with frozen and re-tuned thresholds, resumed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from cohorts import TINY
from commandline import Program
from detectors import MeanDistance
from studies import Runner, logged

from benchmark.execution.score_cells import evaluate_study
from benchmark.storage.run_record import cell_state, has_maps, kept_cells
from benchmark.study.cells import Cell
from benchmark.study.planning import plan
from benchmark.study.study import Request
from datasets.errors import UnknownName
from datasets.loading import load_case
from datasets.shift_requests import case_percentiles, landmarks_of
from datasets.shifts import Shift
from datasets.shifts.representation import mean_landmarks

Counter = Callable[[type, str], Sequence[object]]
Rows = Sequence[dict[str, str]]

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


def request(data: Path, **asked: object) -> Request:
    given = {"methods": "mean-distance", "datasets": "patients", "data": data, "preset": "quick", **asked}
    return Request(**given)  # type: ignore[arg-type]


def value(rows: Rows, **wanted: str) -> float:
    found = [row for row in rows if wanted.items() <= row.items()]
    assert len(found) == 1, (wanted, len(found))
    return float(found[0]["value"])


def test_every_cell_is_crossed_with_none_first_and_with_the_matching_arm(data: Path) -> None:
    cells = plan(request(data, shifts="gamma=0.5,halved=1", match=True)).cells
    labels = [(cell.shift.label, cell.shift.severity, cell.cohort.dataset) for cell in cells]
    order = [
        ("none", 0.0),
        ("none+match", 0.0),
        ("gamma", 0.5),
        ("halved", 1.0),
        ("gamma+match", 0.5),
        ("halved+match", 1.0),
    ]
    assert labels == [(*one, cohort) for one in order for cohort in ("volunteers", "patients")]
    assert len({cell.key for cell in cells}) == len({cell.label for cell in cells}) == 12
    assert [cell.shift.origin for cell in cells if cell.shift.name == "halved"] == ["uadbench-tests 1.0"] * 4


def test_histograms_are_matched_to_what_a_seeds_fit_learns_from(data: Path) -> None:
    study = plan(request(data, match=True, seeds="0-1"))
    for fit in study.fits:
        measures = case_percentiles(study.training_cases(fit, "train"), TINY)
        landmarks = {cell.shift.matched for cell in study.cells_of(fit) if cell.shift.matched}
        assert landmarks == {mean_landmarks(list(measures.values()))}
    assert len({cell.shift.matched for cell in study.cells}) == 3


def test_a_transfer_leads_to_the_scans_outside_the_other_cohorts_test_split(data: Path) -> None:
    study = plan(request(data, datasets="inpatients", shifts="transfer[patients]"))
    (landmarks,) = {cell.shift.landmarks for cell in study.cells if cell.shift.name == "transfer[patients]"}
    validation = [one for one in plan(request(data)).files["patients"] if one.split == "val"]
    assert landmarks == mean_landmarks(list(case_percentiles(validation, TINY).values()))
    assert landmarks_of("inpatients", data, "t1", TINY) != landmarks  # has test scans only, which are taken then


def test_a_misspelt_shift_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'gamma'"):
        plan(request(tmp_path / "nowhere", shifts="gamm"))


def test_thresholds_are_frozen_from_the_unshifted_cell_and_re_tuned_beside(study: Runner) -> None:
    assert study.run(shifts="gamma=0.5", match=True) == []
    rows = study.rows()
    for cohort in ("patients", "volunteers"):
        for protocol in ("lesion-val", "healthy-fpr-5"):
            for arm in ("", "+match"):
                at = {"dataset": cohort, "postprocessing": "none", "metric": "threshold"}
                clean = value(rows, **at, shift=f"none{arm}", protocol=protocol)
                assert np.array_equal(value(rows, **at, shift=f"gamma{arm}", protocol=protocol), clean, equal_nan=True)
                tuned = value(rows, **at, shift=f"gamma{arm}", protocol=f"{protocol}@shifted")
                assert np.isnan(tuned) == np.isnan(clean)
    at = {"dataset": "patients", "postprocessing": "none", "metric": "threshold"}
    assert value(rows, **at, shift="gamma", protocol="lesion-val@shifted") != value(
        rows, **at, shift="none", protocol="lesion-val"
    )
    protocols = {row["protocol"] for row in rows if row["shift"] == "gamma"}
    assert protocols == {
        "",
        "oracle",
        *(f"{one}{end}" for one in ("lesion-val", "healthy-fpr-5") for end in ("", "@shifted")),
    }


def test_a_shifted_cell_knows_its_doses_and_how_close_reconstructions_are_to_what_was_seen(study: Runner) -> None:
    study.run(shifts="gamma=0.5")
    cell = next(cell for cell in kept_cells(study.folder) if cell.shift.severity and cell.cohort.dataset == "patients")
    one = next(files for files in plan(request(study.data)).files["patients"])
    case = load_case(one, TINY, cell.shift)
    at = {"dataset": "patients", "shift": "gamma", "case_id": one.case_id}
    assert value(study.rows(), **at, metric="shift_dose") == pytest.approx(case.shift_dose)
    mean = np.mean([load_case(v, TINY).image for v in plan(request(study.data)).files["volunteers"][:3]], axis=0)
    expected = np.abs(case.image - mean)[0][case.brain_mask].mean()
    assert value(study.rows(), **at, metric="l1") == pytest.approx(expected, abs=1e-3)


def test_a_run_without_shifts_gives_the_same_unshifted_rows(study: Runner, tmp_path: Path) -> None:
    study.run(shifts="halved")
    plain = replace(study, out=tmp_path / "plain")
    plain.run()
    unshifted = [row for row in study.rows() if row["shift"] == "none"]
    assert sorted(map(str, unshifted)) == sorted(map(str, plain.rows()))


def test_a_second_run_does_nothing_and_evaluate_gives_the_same_rows(study: Runner, count_calls: Counter) -> None:
    study.run(shifts="gamma=0.5", match=True)
    before = (study.out / "rows.csv").read_bytes()
    mapped = count_calls(MeanDistance, "anomaly_map")
    study.log.clear()
    assert study.run(shifts="gamma=0.5", match=True) == []
    assert (len(mapped), study.log) == (0, [])
    whole = plan(request(study.data, shifts="gamma=0.5", match=True))
    assert evaluate_study(whole, study.folder, study.scoring) == []
    assert (study.out / "rows.csv").read_bytes() == before


def test_shifts_are_added_to_a_run_without_mapping_it_again(study: Runner, count_calls: Counter) -> None:
    study.run()
    mapped = count_calls(MeanDistance, "anomaly_map")
    assert study.run(shifts="gamma=0.5") == []
    added = len(mapped)
    assert study.run(shifts="gamma=0.7") == []
    assert len(mapped) == 2 * added
    assert len(kept_cells(study.folder)) == 6


def lose(study: Runner, cell: Cell) -> None:
    for name in ("cell.json", "rows.csv"):
        (study.folder.cell(cell) / name).unlink()


def test_without_its_unshifted_cell_a_shifted_one_waits_unscored_and_is_made_up_for_later(
    study: Runner, count_calls: Counter
) -> None:
    study.run(shifts="gamma=0.5")
    whole = plan(request(study.data, shifts="gamma=0.5"))
    of_patients = [cell for cell in whole.cells if cell.cohort.dataset == "patients"]
    clean, shifted = sorted(of_patients, key=lambda cell: not cell.shift.is_none)
    before = sorted(map(str, study.rows()))
    lose(study, clean)
    with logged(study.log):
        failed = evaluate_study(whole, study.folder, study.scoring)
    assert failed == [clean, shifted]
    assert any("no threshold to freeze for mean-distance on patients under gamma=0.5" in line for line in study.log)
    (study.folder.cell(shifted) / "rows.csv").unlink()
    assert cell_state(study.folder, shifted, study.scoring) == "mapped"
    mapped = count_calls(MeanDistance, "anomaly_map")
    assert study.run(shifts="gamma=0.5") == []
    assert len(mapped) == 2  # batches of the unshifted cell alone
    assert sorted(map(str, study.rows())) == before


def test_a_failed_shift_costs_its_own_cells(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from shift_plugins import HALVED

    def broken(view: object, level: float) -> object:
        raise ArithmeticError("the field is nowhere")

    monkeypatch.setattr("shift_plugins.HALVED", replace(HALVED, change=broken))  # type: ignore[arg-type]
    failed = study.run(shifts="halved=1,gamma=0.5")
    assert {(cell.shift.text, cell.cohort.dataset) for cell in failed} == {
        ("halved=1", "volunteers"),
        ("halved=1", "patients"),
    }
    assert {row["shift"] for row in study.rows()} >= {"none", "gamma"}


def test_without_what_was_seen_a_cell_is_mapped_anew(study: Runner) -> None:
    study.run(shifts="gamma=0.5")
    before = sorted(map(str, study.rows()))
    cell = next(cell for cell in kept_cells(study.folder) if cell.shift.severity)
    study.folder.seen(cell).unlink()
    (study.folder.cell(cell) / "rows.csv").unlink()
    assert study.run(shifts="gamma=0.5") == [cell]
    assert not has_maps(study.folder, cell)
    assert study.run(shifts="gamma=0.5", rerun="failed") == []
    assert sorted(map(str, study.rows())) == before


def test_the_unshifted_cell_of_an_arm_is_matched_too() -> None:
    shift = Shift("gamma", 0.5, matched=(0.1,))
    cell = next(iter([replace(_cell(), shift=shift)]))
    assert cell.unshifted.shift == Shift(matched=(0.1,))
    assert cell.unshifted.unshifted == cell.unshifted


def _cell() -> Cell:
    from test_cells import CELL

    return CELL


def test_the_command_line_shows_the_cells_and_refuses_slips(program: Program, data: Path) -> None:
    common = ("run", "--methods", "mean-distance", "--datasets", "patients", "--preset", "quick", "--data", str(data))
    shown = program(*common, "--shifts", "gamma=0.5", "--match", "--dry-run")
    assert "patients under gamma=0.5+match" in shown.stdout
    assert "8 cells of 1 fit," in shown.stdout
    refused = program(*common, "--shifts", "gamma=-1")
    assert refused.exit_code == 2
    assert "expected a level from 0.01 to 100" in refused.stderr
    listed = program("list", "shifts")
    assert "transfer" in listed.stdout
    assert "BROKEN" in listed.stdout

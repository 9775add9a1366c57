"""A fit, cell or score that fails or is interrupted costs itself alone, and the next run makes it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from detectors import MeanDistance, Unmappable
from studies import Runner, stamps

from benchmark.execution import score_cells as scoring
from benchmark.execution import worker
from benchmark.inference import predict as inference
from benchmark.inference.predict import Prediction
from benchmark.storage import maps
from benchmark.storage.run_record import has_maps

Counter = Callable[[type, str], Sequence[object]]
COHORTS = "patients,inpatients"

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


def test_interrupting_between_two_cases_loses_the_cell_in_flight_at_most(
    study: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_calls: Counter
) -> None:
    undisturbed = replace(study, out=tmp_path / "undisturbed")
    undisturbed.run(datasets=COHORTS)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "predict_cell", interrupted_after(8))
        with pytest.raises(KeyboardInterrupt):
            study.run(datasets=COHORTS)
    assert has_maps(study.folder, study.cell("volunteers"))
    assert not has_maps(study.folder, study.cell("patients"))
    fits, before = count_calls(MeanDistance, "fit"), stamps(study.out, "maps/volunteers*")
    assert study.run(datasets=COHORTS) == []
    assert not fits
    assert before
    assert stamps(study.out, "maps/volunteers*") == before
    assert (study.out / "rows.csv").read_bytes() == (undisturbed.out / "rows.csv").read_bytes()


def interrupted_after(count: int) -> Callable[..., Iterator[Prediction]]:
    """`predict_cell` that is interrupted, as by Ctrl-C, once `count` maps are out."""
    done: list[str] = []

    def predict_cell(*args: object, **kwargs: object) -> Iterator[Prediction]:
        for prediction in inference.predict_cell(*args, **kwargs):  # type: ignore[arg-type]
            if len(done) == count:
                raise KeyboardInterrupt
            done.append(prediction.case.case_id)
            yield prediction

    return predict_cell


def test_what_was_to_be_made_anew_is_made_by_the_next_run_after_an_interruption(
    study: Runner, monkeypatch: pytest.MonkeyPatch, count_calls: Counter
) -> None:
    study.run(methods="mean-distance,noisy")
    with monkeypatch.context() as patch:
        patch.setattr(worker, "predict_cell", interrupted_after(8))
        with pytest.raises(KeyboardInterrupt):
            study.run(methods="mean-distance,noisy", rerun="all")
    fits, mapped = count_calls(MeanDistance, "fit"), count_calls(MeanDistance, "anomaly_map")
    study.run(methods="mean-distance,noisy")
    assert len(fits) == 1
    assert len(mapped) == 2


def test_a_method_that_cannot_be_fitted_costs_its_own_cells(study: Runner) -> None:
    failed = study.run(methods="untrainable,mean-distance")
    assert {cell.fit.method for cell in failed} == {"untrainable"}
    assert len(failed) == 2
    record = study.record(study.cell("patients", "untrainable"))
    assert (record["status"], record["stage"]) == ("failed", "fit")
    assert "the loss went to infinity" in record["traceback"]
    assert {row["method"] for row in study.rows()} == {"mean-distance", "perfect-map"}


def test_a_failed_cell_is_left_alone_until_it_is_asked_for(
    study: Runner, monkeypatch: pytest.MonkeyPatch, count_calls: Counter
) -> None:
    study.run(methods="unmappable,mean-distance")
    others = stamps(study.out / "cells", "mean-distance*/*")
    mapped = count_calls(Unmappable, "anomaly_map")
    assert len(study.run(methods="unmappable,mean-distance")) == 2
    assert not mapped
    monkeypatch.setattr(Unmappable, "anomaly_map", MeanDistance.anomaly_map)
    trained = stamps(study.out / "fits", "fit.json")
    assert study.run(methods="unmappable,mean-distance", rerun="failed") == []
    assert others
    assert stamps(study.out / "cells", "mean-distance*/*") == others
    assert stamps(study.out / "fits", "fit.json") == trained
    assert "unmappable" in {row["method"] for row in study.rows()}
    assert "traceback" not in study.record(study.cell("patients", "unmappable"))


def test_a_cell_that_fails_on_one_cohort_leaves_the_same_fit_on_another(
    study: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker, "write_map", refusing("patients-test"))
        failed = study.run(datasets=COHORTS)
    assert [cell.cohort.dataset for cell in failed] == ["patients"]
    assert study.record(failed[0])["stage"] == "predict"
    assert "inpatients" in {row["dataset"] for row in study.rows()}
    assert study.run(datasets=COHORTS, rerun="failed") == []


def refusing(case: str) -> Callable[..., None]:
    def write_map(path: Path, *args: object) -> None:
        if path.name.startswith(case):
            raise OSError("disk full")
        maps.write_map(path, *args)  # type: ignore[arg-type]

    return write_map


def test_cells_whose_healthy_cell_failed_are_mended_with_it(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker, "write_map", refusing("volunteers-val"))
        failed = study.run()
    assert {cell.cohort.dataset: study.record(cell)["status"] for cell in failed} == {
        "volunteers": "failed",
        "patients": "mapped",
    }
    before = stamps(study.out, "maps/patients*")
    assert study.run(rerun="failed") == []
    assert before
    assert stamps(study.out, "maps/patients*") == before


def test_failing_to_score_keeps_the_maps(study: Runner, monkeypatch: pytest.MonkeyPatch, count_calls: Counter) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(scoring, "evaluate_cell", raising(ArithmeticError("no number")))
        failed = study.run()
    assert {study.record(cell)["stage"] for cell in failed} == {"evaluate"}
    assert all(has_maps(study.folder, cell) for cell in failed)
    mapped = count_calls(MeanDistance, "anomaly_map")
    assert study.run(rerun="failed") == []
    assert not mapped


def test_rows_of_a_cell_that_could_not_be_scored_again_are_not_in_the_table(
    study: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run()
    wider = replace(study, scoring=replace(study.scoring, postprocessing=("none", "paper")))
    monkeypatch.setattr(scoring, "evaluate_cell", raising(ArithmeticError("no number")))
    assert len(wider.run()) == 2
    assert {row["method"] for row in study.rows()} == {"perfect-map"}


def raising(error: Exception) -> Callable[..., None]:
    def raises(*args: object, **kwargs: object) -> None:
        raise error

    return raises


def test_a_torn_fit_fails_its_cells_and_names_the_file(study: Runner) -> None:
    study.run()
    cell = study.cell("patients")
    weights = study.folder.fit(cell.fit) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])
    (study.folder.cell(cell) / "cell.json").unlink()
    assert study.run() == [cell]
    assert str(weights) in study.record(cell)["traceback"]
    assert study.run(rerun="failed") == []

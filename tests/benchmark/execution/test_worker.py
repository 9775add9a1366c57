"""A worker fills the grid once, keeps what is done and survives what fails."""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from detectors import MeanDistance, Unmappable
from studies import Runner, read_table, stamps, without_order

from benchmark import __version__
from benchmark.execution import fit_methods, worker
from benchmark.execution import score_cells as scoring
from benchmark.inference import predict as inference
from benchmark.inference.predict import Prediction
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.storage import maps
from benchmark.storage.environment import environment, mixtures
from benchmark.storage.maps import read_volume
from benchmark.storage.run_record import has_maps, kept_cells
from benchmark.study.cells import Cell, Evaluation
from datasets.errors import BadValue
from datasets.io.atomic import read_json

Counter = Callable[[type, str], Sequence[object]]
COHORTS = "patients,inpatients"

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


def cell_on(study: Runner, dataset: str, method: str = "mean-distance") -> Cell:
    return next(
        cell for cell in kept_cells(study.folder) if (cell.fit.method, cell.cohort.dataset) == (method, dataset)
    )


def record_of(study: Runner, cell: Cell) -> dict[str, Any]:
    return json.loads((study.folder.cell(cell) / "cell.json").read_text())


def test_a_run_leaves_rows_of_every_cell_and_the_perfect_map(study: Runner) -> None:
    assert study.run(datasets=COHORTS) == []
    found = {(row["method"], row["dataset"]) for row in study.rows()}
    cohorts = ("volunteers", "patients", "inpatients")
    assert found == {("mean-distance", name) for name in cohorts} | {
        ("perfect-map", name) for name in ("patients", "inpatients")
    }
    seconds = [row for row in read_table(study.out / "timing.csv") if row["metric"] == "seconds"]
    assert len(seconds) == 5 + 6 + 2


def test_a_second_run_of_a_finished_study_fits_maps_and_scores_nothing(study: Runner, count_calls: Counter) -> None:
    study.run(datasets=COHORTS)
    rows, before = (study.out / "rows.csv").read_bytes(), stamps(study.out / "cells", "*.*")
    fits, mapped = count_calls(MeanDistance, "fit"), count_calls(MeanDistance, "anomaly_map")
    study.log.clear()
    assert study.run(datasets=COHORTS) == []
    assert (len(fits), len(mapped), study.log) == (0, 0, [])
    assert stamps(study.out / "cells", "*.*") == before
    assert (study.out / "rows.csv").read_bytes() == rows


def test_a_new_protocol_is_scored_from_kept_maps(study: Runner, count_calls: Counter) -> None:
    study.run()
    mapped = count_calls(MeanDistance, "anomaly_map")
    wider = replace(study, scoring=replace(study.scoring, protocols=(*study.scoring.protocols, "healthy-fpr-1")))
    assert wider.run() == []
    assert not mapped
    assert "healthy-fpr-1" in {row["protocol"] for row in wider.rows()}


def test_interrupting_between_two_cases_loses_the_cell_in_flight_at_most(
    study: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count_calls: Counter
) -> None:
    undisturbed = replace(study, out=tmp_path / "undisturbed")
    undisturbed.run(datasets=COHORTS)
    with monkeypatch.context() as patch:
        patch.setattr(worker, "predict_cell", interrupted_after(8))
        with pytest.raises(KeyboardInterrupt):
            study.run(datasets=COHORTS)
    assert has_maps(study.folder, cell_on(study, "volunteers"))
    assert not has_maps(study.folder, cell_on(study, "patients"))
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


@pytest.mark.timeout(300)
def test_a_killed_process_leaves_what_another_finishes(data: Path, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    hold = tmp_path / "hold"
    command = [sys.executable, "-m", "benchmark", "run", "--preset", "quick", "--data", str(data), "--pictures", ""]
    command += ["--methods", f"held[file='{hold}']", "--datasets", "patients", "--out"]
    hold.touch()
    with subprocess.Popen([*command, "killed"], cwd=tmp_path, env=elsewhere, stdout=subprocess.DEVNULL) as process:
        wait_for_maps(tmp_path / "killed", "patients-*", process)
        process.send_signal(signal.SIGKILL)
    hold.unlink()
    mapped = stamps(tmp_path / "killed", "maps/volunteers*")
    assert len(mapped) == 5
    for out in ("killed", "undisturbed"):
        subprocess.run([*command, out], cwd=tmp_path, env=elsewhere, check=True, stdout=subprocess.DEVNULL)
    assert stamps(tmp_path / "killed", "maps/volunteers*") == mapped
    assert (tmp_path / "killed/rows.csv").read_bytes() == (tmp_path / "undisturbed/rows.csv").read_bytes()


def wait_for_maps(out: Path, names: str, process: "subprocess.Popen[bytes]") -> None:
    while not list(out.glob(f"cells/*/maps/{names}")):
        assert process.poll() is None, f"ended with {process.returncode} before it mapped {names}"
        time.sleep(0.05)


def test_a_method_that_cannot_be_fitted_costs_its_own_cells(study: Runner) -> None:
    failed = study.run(methods="untrainable,mean-distance")
    assert {cell.fit.method for cell in failed} == {"untrainable"}
    assert len(failed) == 2
    record = record_of(study, cell_on(study, "patients", "untrainable"))
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
    assert "traceback" not in record_of(study, cell_on(study, "patients", "unmappable"))


def test_fits_and_cells_keep_where_they_were_made_whoever_scores_them(
    study: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run()
    here = environment("cpu")
    monkeypatch.setattr(worker, "environment", lambda _device: here | {"torch": "0.1"})
    monkeypatch.setattr(fit_methods, "environment", lambda _device: here | {"torch": "0.1"})
    study.run(datasets=COHORTS, seeds="0")
    replace(study, scoring=replace(study.scoring, postprocessing=("none", "paper"))).run(datasets=COHORTS)
    cells = {cell.cohort.dataset: cell for cell in kept_cells(study.folder)}
    kept = {name: record_of(study, cell)["environment"] for name, cell in cells.items()}
    assert kept == {"volunteers": here, "patients": here, "inpatients": here | {"torch": "0.1"}}
    fit = read_json(study.folder.fit(cells["patients"].fit) / "fit.json")
    assert (fit["environment"], fit["version"]) == (here, __version__)
    ((field, values),) = mixtures(study.folder, cells.values()).items()
    assert (field, values["0.1"]) == ("torch", [cells["inpatients"].name])
    assert len(values[here["torch"]]) == 3


def test_a_cell_that_fails_on_one_cohort_leaves_the_same_fit_on_another(
    study: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(worker, "write_map", refusing("patients-test"))
        failed = study.run(datasets=COHORTS)
    assert [cell.cohort.dataset for cell in failed] == ["patients"]
    assert record_of(study, failed[0])["stage"] == "predict"
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
    assert {cell.cohort.dataset: record_of(study, cell)["status"] for cell in failed} == {
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
    assert {record_of(study, cell)["stage"] for cell in failed} == {"evaluate"}
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


def test_rerunning_all_fits_and_maps_anew(study: Runner, count_calls: Counter) -> None:
    study.run()
    rows = (study.out / "rows.csv").read_bytes()
    fits, mapped = count_calls(MeanDistance, "fit"), count_calls(MeanDistance, "anomaly_map")
    assert study.run(rerun="all") == []
    assert (len(fits), len(mapped)) == (1, 2 + 2)
    assert (study.out / "rows.csv").read_bytes() == rows


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


def test_the_order_of_methods_and_datasets_changes_no_row(study: Runner, tmp_path: Path) -> None:
    other = replace(study, out=tmp_path / "other")
    study.run(methods="mean-distance,noisy", datasets="patients,inpatients")
    other.run(methods="noisy,mean-distance", datasets="inpatients,patients")
    assert without_order(study.rows()) == without_order(other.rows())


@pytest.mark.parametrize(("volumes", "slice_batch"), [(1, 32), (3, 5), (16, 1)])
def test_how_many_are_mapped_at_once_changes_no_row(
    study: Runner, tmp_path: Path, volumes: int, slice_batch: int
) -> None:
    inference = replace(study.inference, volumes=volumes, slice_batch=slice_batch)
    other = replace(study, out=tmp_path / "other", inference=inference)
    study.run(methods="mean-distance,noisy")
    other.run(methods="mean-distance,noisy")
    assert study.rows() == other.rows()


def test_a_case_has_the_same_map_whichever_cases_are_mapped_with_it(study: Runner, tmp_path: Path) -> None:
    fewer = replace(study, out=tmp_path / "fewer")
    study.run(methods="noisy")
    fewer.run(methods="noisy", limit=1)
    case_id = "patients-test-0"
    wanted, got = (
        read_volume(one.folder.anomaly_map(cell_on(one, "patients", "noisy"), case_id)) for one in (study, fewer)
    )
    assert np.array_equal(wanted, got)


def test_a_run_grows_by_another_method_cohort_and_seed(study: Runner, count_calls: Counter) -> None:
    study.run()
    first = without_order(study.rows())
    mapped = count_calls(MeanDistance, "anomaly_map")
    study.run(methods="noisy", datasets="inpatients", seeds="0-1")
    assert not mapped
    assert set(first) < set(without_order(study.rows()))
    assert {row["seed"] for row in study.rows() if row["method"] == "noisy"} == {"0", "1"}


def test_a_cell_with_other_hyper_parameters_replaces_its_namesake(
    study: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run()
    monkeypatch.setattr(MeanDistance, "presets", {"quick": {"power": 2.0}})
    study.run()
    keys = {row["key"] for row in study.rows() if row["metric"] == "auprc" and row["dataset"] == "patients"}
    cell = cell_on(study, "patients")
    assert keys == {Evaluation(cell, PIPELINES[name]).key for name in study.scoring.postprocessing}


def test_a_cohort_whose_files_changed_replaces_its_rows_and_perfect_map(own_data: Path, tmp_path: Path) -> None:
    study = Runner(own_data, tmp_path / "run")
    study.run()
    table = own_data / "patients" / "cases.csv"
    table.write_text(table.read_text().replace("patients-test-2,patients-test-2,test", "patients-test-2,x,val"))
    study.run()
    rows = [row for row in study.rows() if row["case_id"] == "patients-test-2" and row["metric"] == "dice"]
    assert {row["split"] for row in rows} == {"val"}
    perfect = [row for row in study.rows() if row["method"] == "perfect-map" and row["metric"] == "dice"]
    assert len(perfect) == 6 * len(study.scoring.postprocessing)


def test_no_table_holds_one_cohort_in_two_states(own_data: Path, tmp_path: Path) -> None:
    study = Runner(own_data, tmp_path / "run")
    study.run("mean-distance,noisy")
    mask = own_data / "patients" / "lesion_mask" / "patients-test-2.nii.gz"
    mask.write_bytes((own_data / "patients" / "lesion_mask" / "patients-test-1.nii.gz").read_bytes())
    study.run("noisy")
    found = {(row["method"], row["dataset"]) for row in study.rows()}
    assert found == {
        ("mean-distance", "volunteers"),
        ("noisy", "volunteers"),
        ("noisy", "patients"),
        ("perfect-map", "patients"),
    }


def test_no_table_holds_one_method_under_two_configurations(study: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    study.run(seeds="0-1")
    monkeypatch.setattr(MeanDistance, "presets", {"quick": {"power": 2.0}})
    study.run(seeds="0")
    assert {row["seed"] for row in study.rows()} == {"0", ""}


def test_a_lost_perfect_map_is_made_again(study: Runner) -> None:
    study.run()
    before = (study.out / "rows.csv").read_bytes()
    for path in study.out.glob("cells/perfect-map-*/rows.csv"):
        path.unlink()
    study.run()
    assert (study.out / "rows.csv").read_bytes() == before


def test_an_open_test_split_is_not_closed_in_the_same_folder(study: Runner) -> None:
    study.run(validation_only=True)
    study.run()
    with pytest.raises(BadValue, match="got a run with splits"):
        study.run(validation_only=True)


def test_other_settings_are_refused_and_change_nothing(study: Runner) -> None:
    study.run()
    before = study.folder.study.read_bytes()
    with pytest.raises(BadValue, match="limit None, expected 1") as caught:
        study.run(limit=1)
    assert str(study.out) in str(caught.value)
    assert study.folder.study.read_bytes() == before


def test_each_training_seed_has_its_own_healthy_validation_cases(study: Runner, count_calls: Counter) -> None:
    study.run(seeds="0-3")
    drawn = {
        seed: {
            row["case_id"]
            for row in read_table(study.out / "timing.csv")
            if (row["seed"], row["split"], row["dataset"]) == (seed, "val", "volunteers") and row["case_id"]
        }
        for seed in "0123"
    }
    assert drawn["0"] == {f"volunteers-val-{index}" for index in range(3)}
    assert len({frozenset(cases) for cases in drawn.values()}) > 1


def test_a_fit_that_is_kept_is_loaded_with_its_learnt_buffers(study: Runner, count_calls: Counter) -> None:
    study.run(datasets="patients")
    wanted = (study.out / "rows.csv").read_bytes()
    for cell in kept_cells(study.folder):
        (study.folder.cell(cell) / "cell.json").unlink()
    fits = count_calls(MeanDistance, "fit")
    study.run(datasets="patients")
    assert not fits
    assert (study.out / "rows.csv").read_bytes() == wanted


def test_fits_that_were_put_into_a_new_folder_are_not_trained_again(
    study: Runner, tmp_path: Path, count_calls: Counter
) -> None:
    study.run()
    other = replace(study, out=tmp_path / "other")
    shutil.copytree(study.out / "fits", other.out / "fits")
    fits = count_calls(MeanDistance, "fit")
    assert other.run() == []
    assert not fits
    assert other.rows() == study.rows()


def test_a_torn_fit_fails_its_cells_and_names_the_file(study: Runner) -> None:
    study.run()
    cell = cell_on(study, "patients")
    weights = study.folder.fit(cell.fit) / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])
    (study.folder.cell(cell) / "cell.json").unlink()
    assert study.run() == [cell]
    assert str(weights) in record_of(study, cell)["traceback"]
    assert study.run(rerun="failed") == []


def test_the_environment_of_the_mapping_is_kept_with_the_cell(study: Runner) -> None:
    study.run()
    record = record_of(study, cell_on(study, "patients"))
    assert record["status"] == "mapped"
    wanted = {"device": "cpu", "precision": "fp32", "slice_batch": 32, "volumes": 4, "compiled": False}
    assert record["inference"] == wanted

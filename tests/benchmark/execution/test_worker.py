"""A worker fills the grid once, whatever the order and the company, and makes anew what has changed."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from detectors import MeanDistance
from studies import Runner, read_table, stamps, without_order

from benchmark import __version__
from benchmark.execution import fit_methods, worker
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.storage.environment import environment, mixtures
from benchmark.storage.maps import read_volume
from benchmark.storage.run_record import kept_cells
from benchmark.study.cells import Evaluation
from datasets.errors import BadValue
from datasets.io.atomic import read_json

Counter = Callable[[type, str], Sequence[object]]
COHORTS = "patients,inpatients"

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    return Runner(data, tmp_path / "run")


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
    kept = {name: study.record(cell)["environment"] for name, cell in cells.items()}
    assert kept == {"volunteers": here, "patients": here, "inpatients": here | {"torch": "0.1"}}
    fit = read_json(study.folder.fit(cells["patients"].fit) / "fit.json")
    assert (fit["environment"], fit["version"]) == (here, __version__)
    ((field, values),) = mixtures(study.folder, cells.values()).items()
    assert (field, values["0.1"]) == ("torch", [cells["inpatients"].name])
    assert len(values[here["torch"]]) == 3


def test_rerunning_all_fits_and_maps_anew(study: Runner, count_calls: Counter) -> None:
    study.run()
    rows = (study.out / "rows.csv").read_bytes()
    fits, mapped = count_calls(MeanDistance, "fit"), count_calls(MeanDistance, "anomaly_map")
    assert study.run(rerun="all") == []
    assert (len(fits), len(mapped)) == (1, 2 + 2)
    assert (study.out / "rows.csv").read_bytes() == rows


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
        read_volume(one.folder.anomaly_map(one.cell("patients", "noisy"), case_id)) for one in (study, fewer)
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
    cell = study.cell("patients")
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


def test_the_environment_of_the_mapping_is_kept_with_the_cell(study: Runner) -> None:
    study.run()
    record = study.record(study.cell("patients"))
    assert record["status"] == "mapped"
    wanted = {"device": "cpu", "precision": "fp32", "slice_batch": 32, "volumes": 4, "compiled": False}
    assert record["inference"] == wanted

"""A labelled detector in a whole run: told of other patients only, and of nothing in healthy cohorts."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from studies import Runner

from benchmark.storage.fits import sees_labels
from benchmark.storage.maps import read_volume
from benchmark.storage.run_record import kept_cells
from benchmark.study.cells import Cell
from datasets.case import CaseFiles
from datasets.cohorts.catalog import dataset


@pytest.fixture
def study(data: Path, tmp_path: Path, plugin: None) -> Runner:
    return Runner(data, tmp_path / "run")


def maps_of(study: Runner, name: str, files: Sequence[CaseFiles]) -> dict[str, NDArray[np.float32]]:
    cell = cell_on(study, name)
    paths = {one.case_id: study.folder.anomaly_map(cell, one.case_id) for one in files}
    return {case_id: read_volume(path) for case_id, path in paths.items() if path.exists()}


def cell_on(study: Runner, name: str) -> Cell:
    return next(cell for cell in kept_cells(study.folder) if cell.cohort.dataset == name)


def test_a_patients_maps_stay_the_same_whatever_that_patients_masks_are(
    study: Runner, own_data: Path, tmp_path: Path
) -> None:
    files = dataset("patients").files(own_data, "t1")
    for one in files:
        if one.subject_id == "patients-test-1":
            assert one.lesion_mask is not None
            one.lesion_mask.write_bytes(one.brain_mask.read_bytes())
    other = Runner(own_data, tmp_path / "other")
    for each in (study, other):
        assert each.run("prior[smoothing=0]") == []
    before, after = (maps_of(each, "patients", files) for each in (study, other))
    same = {case_id for case_id in before if np.array_equal(before[case_id], after[case_id])}
    assert len(before) == 6
    assert same == {one.case_id for one in files if one.subject_id == "patients-test-1"}


def test_what_was_told_of_one_cohort_is_forgotten_in_the_next(study: Runner, data: Path) -> None:
    assert study.run("prior", "patients,inpatients") == []
    healthy = maps_of(study, "volunteers", dataset("volunteers").files(data, "t1"))
    alone = maps_of(study, "inpatients", dataset("inpatients").files(data, "t1"))  # two scans of one patient
    assert len(healthy) == 5
    assert len(alone) == 2
    assert not any(anomaly_map.any() for anomaly_map in (*healthy.values(), *alone.values()))


def test_a_closed_test_split_lends_no_label(study: Runner, own_data: Path, tmp_path: Path) -> None:
    for path in own_data.rglob("*-test-*.nii.gz"):
        path.write_bytes(b"not to be opened")
    closed = Runner(own_data, tmp_path / "closed")
    assert closed.run("prior", validation_only=True) == []
    maps = maps_of(closed, "patients", dataset("patients").files(own_data, "t1"))
    assert len(maps) == 3
    assert all(anomaly_map.any() for anomaly_map in maps.values())


def test_its_card_says_that_it_sees_labels(study: Runner) -> None:
    study.run("prior,mean-distance")
    seen = {cell.fit.method: sees_labels(study.folder, cell.fit) for cell in kept_cells(study.folder)}
    assert seen == {"prior": True, "mean-distance": False}


def test_no_threshold_is_taken_from_healthy_scans(study: Runner) -> None:
    assert study.run("prior,mean-distance") == []
    thresholds = [row for row in study.rows() if row["metric"] == "threshold" and row["dataset"] == "patients"]
    undefined = {(row["method"], row["protocol"]) for row in thresholds if row["value"] == "nan"}
    assert undefined == {("prior", "healthy-fpr-5")}

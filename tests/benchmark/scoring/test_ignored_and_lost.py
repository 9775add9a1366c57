"""Voxels to be ignored leave every score; a lesion too small for the grid is missed like one outside the brain."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from benchmark.metrics import METRICS, scored
from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.metric import compute, reconstruction_of
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.scoring.evaluation import evaluate_maps
from benchmark.scoring.processed_maps import OWN, process
from benchmark.scoring.settings import settings_named
from benchmark.storage.folder import RunFolder
from benchmark.study.cells import Cell, Cohort, Fit
from datasets.case import Case, CaseFiles
from datasets.grid import Grid

GRID = Grid(shape=(9, 9, 8), spacing=4.0)
VOXEL_ML = 0.064
CORNER = (0, 0, 0)
PROTOCOLS = ("lesion-val", "lesion-val-mean", "oracle", "oracle-case", "oracle-cross")
CELL = Cell(Fit("by-hand", "nowhere:Nothing", {}, Cohort("well", "t1", "0"), GRID, 0), Cohort("ill", "t1", "1"))
Map = NDArray[np.float32]
Rows = dict[tuple[str, str, str, str], float]


def patients() -> list[tuple[GroundTruth, Map]]:
    """Six patients, two of validation and four of test, with lesions of a few voxels, and their maps."""
    return [patient(number) for number in range(6)]


def patient(number: int) -> tuple[GroundTruth, Map]:
    """The brain fills the box but for its outermost voxels; no lesion touches the box's corner."""
    rng = np.random.default_rng([14, number])
    brain = np.zeros(GRID.shape, dtype=bool)
    brain[1:-1, 1:-1, 1:-1] = True
    lesion = brain & (rng.random(GRID.shape) < 0.04)
    lesion[1, 1, 1] = False
    anomaly_map = (np.where(lesion, 0.3, 0.0) + rng.integers(0, 40, GRID.shape) / 60) * brain
    files = CaseFiles(f"c{number}", Path(), Path(), Path(), f"p{number}", "", "val" if number < 2 else "test")
    return GroundTruth(files, brain, lesion, (4.0, 4.0, 4.0), 0.5 * (number % 2)), anomaly_map.astype(np.float32)


def ignoring(truth: GroundTruth, seed: int = 0) -> GroundTruth:
    """A third of the box is to be ignored, some lesion among it, which stays."""
    drawn = np.random.default_rng([16, seed]).random(truth.brain_mask.shape) < 1 / 3
    return replace(truth, ignore_mask=drawn)


def rows_of(folder: Path, maps: Sequence[tuple[GroundTruth, Map]], *, pipeline: str = "none") -> Rows:
    """By metric, protocol, split and case."""
    settings = settings_named([pipeline], PROTOCOLS, scored())
    rows = evaluate_maps(
        RunFolder(folder), CELL, ((None, truth, {OWN: anomaly_map}) for truth, anomaly_map in maps), settings
    )
    return {(row.metric, row.protocol, row.split, row.case_id): row.value for row in rows}


def but_for(rows: Rows, *metrics: str) -> Rows:
    return {place: value for place, value in rows.items() if place[0] not in metrics}


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (RunFolder(folder).cell(CELL) / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_an_ignored_voxel_is_scored_as_if_the_brain_ended_before_it(tmp_path: Path) -> None:
    """All but what the width of the brain and the box's background enter."""
    ignoring_some = [(ignoring(truth, number), one) for number, (truth, one) in enumerate(patients())]
    smaller = [(replace(truth, brain_mask=truth.scored_mask, ignore_mask=None), one) for truth, one in ignoring_some]
    found, expected = rows_of(tmp_path / "ignored", ignoring_some), rows_of(tmp_path / "smaller", smaller)
    assert but_for(found, "auprc_box", "hd95") == pytest.approx(but_for(expected, "auprc_box", "hd95"), nan_ok=True)
    assert found != pytest.approx(rows_of(tmp_path / "all", patients()), nan_ok=True)
    for name in ("lesions.csv", "strata.csv", "froc.csv", "pr.csv"):
        assert table(tmp_path / "ignored", name) == table(tmp_path / "smaller", name)


def test_what_a_map_says_of_ignored_voxels_changes_nothing(tmp_path: Path) -> None:
    maps = [(ignoring(truth), one) for truth, one in patients()]
    others = [(truth, np.where(truth.ignored & truth.brain_mask, np.float32(9), one)) for truth, one in maps]
    assert any((one != other).any() for (_, one), (_, other) in zip(maps, others, strict=True))
    assert rows_of(tmp_path / "one", maps) == pytest.approx(rows_of(tmp_path / "other", others), nan_ok=True)


def test_precision_over_the_box_is_of_its_voxels_that_are_not_ignored(tmp_path: Path) -> None:
    truth, anomaly_map = patient(0)
    truth = replace(ignoring(truth), lesion_mask=truth.mask | (np.indices(GRID.shape).sum(axis=0) == 0))
    counted = ~truth.ignored
    assert truth.mask[CORNER]
    assert not truth.brain_mask[CORNER]
    assert truth.ignore_mask is not None
    assert (truth.mask & truth.ignore_mask).any()
    expected = average_precision_score(truth.mask[counted], anomaly_map[counted])
    assert rows_of(tmp_path, [(truth, anomaly_map)])["auprc_box", "", "val", "c0"] == pytest.approx(expected)


@pytest.mark.parametrize("name", ["paper", "light", "none"])
def test_postprocessing_takes_ignored_voxels_for_brain(name: str) -> None:
    for truth, anomaly_map in patients():
        blind, seeing = (process(anomaly_map, one, PIPELINES[name]) for one in (truth, ignoring(truth)))
        kept = ignoring(truth).scored_mask[truth.brain_mask]
        assert 0 < kept.sum() < kept.size
        assert np.array_equal(seeing.filtered, blind.filtered[kept])
        assert np.array_equal(seeing.finished, blind.finished[kept])


def test_a_reconstruction_is_compared_where_nothing_is_ignored() -> None:
    rng = np.random.default_rng(17)
    truth = ignoring(patient(0)[0])
    image, made, host = (rng.random(GRID.shape).astype(np.float32) for _ in range(3))
    case = Case("c0", image[None], truth.brain_mask, truth.mask, np.diag([4.0, 4.0, 4.0, 1.0]))
    pair = reconstruction_of(replace(case, ignore_mask=truth.ignore_mask), made, host)
    smaller = reconstruction_of(replace(case, brain_mask=truth.scored_mask), made, host)
    metrics = [METRICS[name] for name in scored() if METRICS[name].takes == "reconstruction"]
    found = compute(metrics, pair, pair.kinds)
    assert found == compute(metrics, smaller, smaller.kinds)
    assert found["l1"] != compute(metrics, reconstruction_of(case, made, host), pair.kinds)["l1"]


def test_a_lost_lesion_is_missed_like_one_outside_the_brain(tmp_path: Path) -> None:
    """All but what its place enters: a lesion of one voxel, in the box's corner or lost, which no map can find."""
    outside, lost = [], []
    for truth, anomaly_map in patients():
        cornered = truth.mask.copy()
        cornered[CORNER] = True
        outside.append((replace(truth, lesion_mask=cornered), anomaly_map))
        lost.append((replace(truth, lost_ml=(VOXEL_ML,)), anomaly_map))
    placed = "auprc_box", "hd95", "surface_dice", "lesion_lost_ml"
    found, expected = rows_of(tmp_path / "lost", lost), rows_of(tmp_path / "outside", outside)
    assert but_for(found, *placed) == pytest.approx(but_for(expected, *placed), nan_ok=True)
    assert found != pytest.approx(rows_of(tmp_path / "all", patients()), nan_ok=True)
    for name in ("strata.csv", "froc.csv", "pr.csv"):
        assert table(tmp_path / "lost", name) == table(tmp_path / "outside", name)
    assert sorted(_levels(tmp_path / "lost")) == sorted(_levels(tmp_path / "outside"))


def _levels(folder: Path) -> Iterator[tuple[str, ...]]:
    yield from ((one["case_id"], one["volume_ml"], one["level"]) for one in table(folder, "lesions.csv"))


def test_a_patient_whose_every_lesion_is_lost_stays_a_patient(tmp_path: Path) -> None:
    _, anomaly_map = patient(0)
    nothing = np.zeros(GRID.shape, dtype=bool)
    truth = replace(patient(0)[0], lesion_mask=nothing, lost_ml=(0.008, 0.2), cut_off=0.0)
    other = patient(1)
    rows = rows_of(tmp_path, [(truth, anomaly_map), other])
    own = {(metric, protocol): value for (metric, protocol, _, case), value in rows.items() if case == "c0"}
    for metric in ("dice", "recall", "lesion_recall", "lesion_f1", "lesion_precision", "precision"):
        assert own[metric, "lesion-val"] == 0
    for metric in ("auprc", "auprc_box", "auroc", "oracle_dice"):
        assert own[metric, ""] == 0
    assert own["lesion_lost_ml", ""] == own["lesion_ml", ""] == pytest.approx(0.208)
    healthy = {metric.name for metric in METRICS.usable().values() if metric.cases == "healthy"}
    assert not healthy & {metric for metric, _ in own}
    strata = {
        one["stratum"]: (float(one["cases"]), float(one["patients"]))
        for one in table(tmp_path, "strata.csv")
        if one["protocol"] == "lesion-val"
    }
    volumes = np.append(other[0].lesion_volumes, truth.lost_ml)
    assert strata["<0.1 ml"] == ((volumes < 0.1).sum(), 2)
    assert strata["all"] == (volumes.size, 2)
    assert rows["froc", "", "val", ""] <= 1 - 2 / volumes.size


def test_the_lost_part_of_a_cohort_lowers_the_pooled_optimum(tmp_path: Path) -> None:
    """Their voxels are in every denominator: Dice at the pooled threshold, by hand."""
    maps = [(replace(truth, lost_ml=(0.03, 0.01)), one) for truth, one in patients()]
    rows = rows_of(tmp_path, maps)
    threshold = rows["threshold", "lesion-val", "", ""]
    for truth, anomaly_map in maps:
        predicted = (anomaly_map > threshold) & truth.brain_mask
        expected = (
            2 * (predicted & truth.mask).sum() / (predicted.sum() + truth.mask.sum() + truth.cut_off + 0.04 / VOXEL_ML)
        )
        assert rows["dice", "lesion-val", truth.files.split, truth.files.case_id] == pytest.approx(expected)

"""From downloads with several labels to rows: what is lesion, ignored or unknown stays so all the way."""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from commandline import call
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score
from skulls import SPACING, Head, draw_head, write_template
from typer.testing import CliRunner, Result

from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.storage.maps import read_volume
from datasets.__main__ import app
from datasets.case import Case
from datasets.cohorts.catalog import dataset
from datasets.grid import GRIDS, Grid
from datasets.io.nifti import Volume, write_volume
from datasets.loading import load_case
from datasets.simulation.phantom import write_phantom

VOXEL_ML = SPACING**3 / 1000
TEMPLATE = "sri24_t1_skullstripped_brats_space.nii.gz"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the template and healthy brains."""
    folder = tmp_path_factory.mktemp("labels")
    (folder / "data" / "atlas").mkdir(parents=True)
    write_template(folder).rename(folder / "data" / "atlas" / TEMPLATE)
    write_phantom(folder / "data", healthy=6, lesion=0, spacing=SPACING)
    return folder


@pytest.fixture(autouse=True)
def whole_heads(plugin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests' own grid is smaller than a head."""
    monkeypatch.setitem(GRIDS, "quick", Grid(shape=(40, 48, 40), spacing=SPACING))


@pytest.fixture
def uncorrected(monkeypatch: pytest.MonkeyPatch) -> None:
    """No bias field is removed, which takes the longest and moves no label."""
    monkeypatch.setattr("datasets.preparation.scan.correct_bias", lambda image, brain_mask, spacing: image)


def prepare(folder: Path, name: str) -> Result:
    arguments = ["prepare", name, "--raw", folder / name, "--data", folder / "data", "--spacing", SPACING]
    return CliRunner().invoke(app, [*map(str, arguments), "--stripper", "none"])


def save(path: Path, values: NDArray[np.generic], head: Head) -> None:
    write_volume(path, Volume(values, head.stripped.affine))


def rows_of(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a study of one cohort."""
    run = folder / f"run-{name}"
    done = call("run", "--methods", "mean-distance", "--healthy", "phantom", "--datasets", name, "--preset", "quick",
         "--data", folder / "data", "--out", run, "--postprocessing", "none,paper",
         "--protocols", "oracle,healthy-fpr-5", "--pictures", "", "--sequence", "t1")  # fmt: skip
    assert done.exit_code == 0, done.output
    with (run / "rows.csv").open(newline="") as stream:
        return [row for row in csv.DictReader(stream) if row["dataset"] == name]


def values_of(rows: list[dict[str, str]], metric: str, **where: str) -> dict[str, float]:
    """By case."""
    chosen = (row for row in rows if row["metric"] == metric and all(row[key] == one for key, one in where.items()))
    return {row["case_id"]: float(row["value"]) for row in chosen}


@pytest.fixture(scope="module")
def tumours(folder: Path) -> dict[str, Head]:
    """A download of BraTS: enhancing tumour as label 4, as 3, and as one that nobody has declared."""
    heads = {f"BraTS2021_0000{number}": draw_head(number) for number in range(3)}
    for (case_id, head), enhancing in zip(heads.items(), (4, 3, 7), strict=True):
        lesion = np.flatnonzero(head.lesion_mask.data)
        labels = np.zeros(head.lesion_mask.data.shape, np.uint8)
        labels.flat[lesion] = np.array([1, 2, enhancing])[np.arange(lesion.size) % 3]
        save(folder / "brats" / case_id / f"{case_id}_t1.nii.gz", head.stripped.data, head)
        save(folder / "brats" / case_id / f"{case_id}_seg.nii.gz", labels, head)
    return heads


@pytest.mark.usefixtures("uncorrected")
def test_both_numberings_of_brats_give_the_whole_tumour_and_a_third_is_refused(
    folder: Path, tumours: dict[str, Head]
) -> None:
    result = prepare(folder, "brats")
    assert result.exit_code == 1
    *known, unknown = tumours.items()
    ml = (np.arange(unknown[1].lesion_mask.data.sum()) % 3 == 2).sum() * VOXEL_ML
    assert f"{unknown[0]}_seg.nii.gz: got label 7 ({ml:.3g} ml), expected 0 (background), 1, 2, 3, 4" in result.stderr
    told = values_of(rows_of(folder, "brats"), "lesion_ml", method="perfect-map")
    expected = {case_id: head.lesion_mask.data.sum() * VOXEL_ML for case_id, head in known}
    assert told == pytest.approx(expected, rel=1e-6)


@pytest.fixture(scope="module")
def hyperintensities(folder: Path) -> dict[str, Head]:
    """A download of the WMH challenge: of every brain's lesions one half is other pathology."""
    places = ("Utrecht/0", "Singapore/50", "Amsterdam/GE3T/100", "Utrecht/2")
    heads = {place: draw_head(number) for number, place in zip((0, 2, 4, 5), places, strict=True)}
    for place, head in heads.items():
        lesion = head.lesion_mask.data
        labels = np.where(lesion, 1, 0).astype(np.uint8)
        labels[int(np.median(np.argwhere(lesion)[:, 0])) :] *= 2
        for sequence in ("T1", "FLAIR"):
            save(folder / "wmh" / place / "pre" / f"{sequence}.nii.gz", head.stripped.data, head)
        save(folder / "wmh" / place / "wmh.nii.gz", labels, head)
    return heads


@pytest.mark.usefixtures("hyperintensities")
def test_label_2_of_the_wmh_challenge_leaves_every_score(folder: Path) -> None:
    assert prepare(folder, "wmh").exit_code == 0
    rows, found = rows_of(folder, "wmh"), 0
    for case, anomaly_map in mapped(folder):
        ignored, lesion = case.ignore_mask, case.lesion_mask
        assert ignored is not None
        assert lesion is not None
        assert ignored.any()
        counted = case.brain_mask & ~ignored
        scores, outside = anomaly_map[counted], (lesion & ~case.brain_mask).sum()
        missed = (case.lesion_outside_grid_ml + sum(case.lost_lesions_ml)) / case.voxel_ml + outside
        positives = lesion[counted].sum() + missed
        auprc = average_precision_score(lesion[counted], scores) * lesion[counted].sum() / positives
        assert values_of(rows, "auprc", postprocessing="none")[case.case_id] == pytest.approx(auprc)
        for protocol in ("oracle", "healthy-fpr-5"):
            predicted = scores > threshold(rows, protocol)
            dice = 2 * (predicted & lesion[counted]).sum() / (predicted.sum() + positives)
            told = values_of(rows, "dice", postprocessing="none", protocol=protocol, method="mean-distance")
            assert told[case.case_id] == pytest.approx(dice)
        for name in ("none", "paper"):
            left = PIPELINES[name].perfect(lesion, case.brain_mask, case.spacing)[counted]
            dice = 2 * (left & lesion[counted]).sum() / (left.sum() + positives)
            assert values_of(rows, "dice", method="perfect-map", postprocessing=name)[case.case_id] == pytest.approx(
                dice
            )
        found += 1
    assert found == 4


def threshold(rows: list[dict[str, str]], protocol: str) -> float:
    wanted = "threshold", protocol, "none"
    (found,) = {row["value"] for row in rows if (row["metric"], row["protocol"], row["postprocessing"]) == wanted}
    return float(found)


def mapped(folder: Path) -> Iterator[tuple[Case, NDArray[np.float32]]]:
    (maps,) = (folder / "run-wmh" / "cells").glob("mean-distance-wmh-*/maps")
    for files in dataset("wmh").files(folder / "data", "t1"):
        yield load_case(files, GRIDS["quick"]), read_volume(maps / f"{files.case_id}.nii.gz")

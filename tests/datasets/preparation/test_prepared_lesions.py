"""Lesion masks: which voxels are lesion, and how their volume survives resampling."""

import re
from pathlib import Path

import numpy as np
import pytest
from skulls import turn

from datasets.case import BINARY, Labels
from datasets.errors import BadFile
from datasets.io.nifti import Lattice, Volume, write_volume
from datasets.preparation.lesions import LesionVolumes, move_lesion_mask, read_lesion_mask


def test_lesions_of_one_voxel_keep_their_volume_on_average() -> None:
    rng = np.random.default_rng(0)
    single = rng.random((60, 60, 60)) > 0.995
    lattice = Lattice((60, 60, 60), np.eye(4))
    matrix = turn((10, 5, -20), (1, 1, 1), (0.4, 0.3, 0.2))
    moved, volumes = move_lesion_mask(Volume(single, np.eye(4)), lattice, matrix, np.ones((60, 60, 60), bool))
    inside = np.zeros((60, 60, 60), bool)
    inside[20:40, 20:40, 10:30] = True
    assert set(np.unique(moved)) == {False, True}
    assert volumes.after == pytest.approx(moved.sum() / 1000)
    # By place: of the voxels that come from within the mask's lattice, as many are lesion as there.
    places = np.linalg.inv(np.eye(4)) @ matrix @ np.vstack([np.indices((60,) * 3).reshape(3, -1), np.ones(60**3)])
    covered = ((places[:3] > 0) & (places[:3] < 59)).all(axis=0)
    assert moved.ravel()[covered].mean() == pytest.approx(single.mean(), rel=0.1)


@pytest.mark.parametrize("spacing", [0.8, 1.0, 2.0])
@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, -0.5])
def test_a_mask_stays_where_it_lies_and_as_large_as_it_is(spacing: float, shift: float) -> None:
    rng = np.random.default_rng(1)
    voxels = np.indices((24, 24, 24)).transpose(1, 2, 3, 0)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = shift
    lattice = Lattice((round(24 / spacing),) * 3, affine)
    errors, changes = [], []
    for _ in range(40):
        ball = ((voxels - rng.uniform(10, 14, 3)) ** 2).sum(-1) < 25
        moved, volumes = move_lesion_mask(Volume(ball, np.eye(4)), lattice, np.eye(4), np.ones(lattice.shape, bool))
        errors.append((np.argwhere(moved) * spacing + shift).mean(axis=0) - np.argwhere(ball).mean(axis=0))
        changes.append(volumes.after / volumes.expected)
    assert np.abs(errors).max() < 0.25 * max(spacing, 1)
    assert np.mean(errors, axis=0) == pytest.approx([0, 0, 0], abs=0.15)
    assert np.mean(changes) == pytest.approx(1, abs=0.01)


def test_a_voxel_midway_between_new_ones_does_not_vanish() -> None:
    single, midway = np.zeros((10, 10, 10), bool), np.eye(4)
    single[4, 4, 4], midway[:3, 3] = True, 0.5
    lattice = Lattice((10, 10, 10), midway)
    moved, _ = move_lesion_mask(Volume(single, np.eye(4)), lattice, np.eye(4), np.ones((10, 10, 10), bool))
    assert moved.sum() == 1


def test_scaling_is_told_apart_from_resampling() -> None:
    ball = ((np.indices((40, 40, 40)).transpose(1, 2, 3, 0) - 19.5) ** 2).sum(-1) < 64
    lattice = Lattice((60, 60, 60), np.eye(4))
    shrinking = turn((0, 0, 0), (0.8, 0.8, 0.8), (-4, -4, -4))  # from the lattice's mm: everything grows
    _, volumes = move_lesion_mask(Volume(ball, np.eye(4)), lattice, shrinking, np.ones((60, 60, 60), bool))
    assert volumes.before == pytest.approx(ball.sum() / 1000)
    assert volumes.expected == pytest.approx(volumes.before / 0.8**3)
    assert volumes.change_percent == pytest.approx(95, abs=5)
    assert abs(volumes.resampling_percent) < 2
    assert not volumes.warning


def test_a_lesion_that_the_box_cuts_is_warned_of_and_one_outside_the_brain_is_told() -> None:
    ball = ((np.indices((40, 40, 40)).transpose(1, 2, 3, 0) - 19.5) ** 2).sum(-1) < 64
    half = Lattice((20, 40, 40), np.eye(4))
    _, volumes = move_lesion_mask(Volume(ball, np.eye(4)), half, np.eye(4), np.zeros((20, 40, 40), bool))
    assert volumes.resampling_percent == pytest.approx(-50, abs=1)
    assert "-50.0 %" in volumes.warning
    assert volumes.outside_brain == volumes.after


@pytest.mark.parametrize(
    ("expected", "after", "warns"), [(10, 10.4, False), (10, 10.6, True), (0.05, 0.09, False), (0.05, 0.2, True)]
)
def test_a_warning_takes_five_percent_and_fifty_cubic_millimetres(
    expected: float, after: float, *, warns: bool
) -> None:
    assert bool(LesionVolumes(expected, expected, after, 0).warning) == warns


TUMOUR = Labels(lesion=(1, 2, 3, 4))
OTHER = Labels(lesion=(1,), ignored=(2,))


def mask_of(folder: Path, *values: float) -> Path:
    """A mask of 1 ml voxels, the first of which have these values."""
    data = np.zeros((4, 4, 4), np.float32)
    data.flat[: len(values)] = values
    write_volume(folder / "mask.nii.gz", Volume(data, np.diag([10.0, 10.0, 10.0, 1.0])), np.float32)
    return folder / "mask.nii.gz"


@pytest.mark.parametrize("enhancing", [4, 3])
def test_both_numberings_of_a_tumour_give_all_of_it(tmp_path: Path, enhancing: int) -> None:
    lesion, ignored = read_lesion_mask(mask_of(tmp_path, 1, 2, enhancing, 2), TUMOUR)
    assert lesion.data.ravel().tolist() == [True] * 4 + [False] * 60
    assert ignored is None


def test_a_label_that_is_not_declared_is_refused_by_name_with_its_volume(tmp_path: Path) -> None:
    expected = "0 (background), 1, 2, 3, 4 (lesion)"
    with pytest.raises(BadFile, match=re.escape(f"got label 7 (3 ml), label 9 (1 ml), expected {expected}.")):
        read_lesion_mask(mask_of(tmp_path, 1, 7, 7, 2, 7, 9), TUMOUR)
    with pytest.raises(BadFile, match=re.escape("got label 2 (1 ml), expected 0 (background), 1 (lesion).")):
        read_lesion_mask(mask_of(tmp_path, 1, 2), BINARY)
    with pytest.raises(BadFile, match=re.escape("got label 1.4 (1 ml), expected")):
        read_lesion_mask(mask_of(tmp_path, 1, 1.4), TUMOUR)


def test_a_label_to_be_ignored_is_told_apart(tmp_path: Path) -> None:
    lesion, ignored = read_lesion_mask(mask_of(tmp_path, 0, 1, 2, 2), OTHER)
    assert ignored is not None
    assert (np.flatnonzero(lesion.data).tolist(), np.flatnonzero(ignored.data).tolist()) == ([1], [2, 3])


def test_soft_edges_of_a_binary_mask_are_lesion_above_a_half(tmp_path: Path) -> None:
    lesion, _ = read_lesion_mask(mask_of(tmp_path, 0.9999, 0.5, 0.51, 1.2), BINARY)
    assert np.flatnonzero(lesion.data).tolist() == [0, 2, 3]


def test_an_interpolated_mask_is_lesion_above_half_of_its_maximum(tmp_path: Path) -> None:
    lesion, _ = read_lesion_mask(mask_of(tmp_path, 0.8, 0.41, 0.39), None)
    assert np.flatnonzero(lesion.data).tolist() == [0, 1]
    with pytest.raises(BadFile, match="got values from 0 to 4, expected 0 to 1"):
        read_lesion_mask(mask_of(tmp_path, 4, 1, 2), None)


def test_a_mask_without_lesion_is_named_with_the_values_that_it_holds(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"without lesion \(values 0, 2\), expected voxels of 1"):
        read_lesion_mask(mask_of(tmp_path, 2), OTHER)

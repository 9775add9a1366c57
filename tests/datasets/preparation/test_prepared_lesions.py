"""Lesion masks: which voxels are lesion, and how their volume survives resampling."""

from pathlib import Path

import numpy as np
import pytest
from skulls import turn

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


def test_labels_say_what_is_lesion_and_without_them_half_of_the_maximum_does(tmp_path: Path) -> None:
    data = np.zeros((4, 4, 4), np.float32)
    data[0, 0, :4] = (1, 2, 0.9999, 0.4)
    write_volume(tmp_path / "mask.nii.gz", Volume(data, np.eye(4)), np.float32)
    assert read_lesion_mask(tmp_path / "mask.nii.gz", (1,)).data.sum() == 2
    data[0, 0] = (255, 255, 100, 0)
    write_volume(tmp_path / "mask.nii.gz", Volume(data, np.eye(4)), np.float32)
    assert read_lesion_mask(tmp_path / "mask.nii.gz", ()).data.sum() == 2


def test_a_mask_without_lesion_is_named_with_the_values_that_it_holds(tmp_path: Path) -> None:
    data = np.zeros((4, 4, 4), np.float32)
    data[0, 0, 0] = 2
    write_volume(tmp_path / "mask.nii.gz", Volume(data, np.eye(4)), np.float32)
    with pytest.raises(BadFile, match=r"without lesion \(values 0, 2\), expected voxels of 1"):
        read_lesion_mask(tmp_path / "mask.nii.gz", (1,))

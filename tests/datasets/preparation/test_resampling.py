"""Resampling: values found at their place in mm, cropping bit for bit, masks that keep their size."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from skulls import turn

from datasets.errors import BadFile
from datasets.io.nifti import Lattice, Volume, write_volume
from datasets.preparation.resampling import (
    Order,
    check_same_lattice,
    read_scan,
    resample,
    resample_mask,
    upright_lattice,
)

AFFINE = np.array([[0, -2, 0, 5], [1, 0, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1.0]])
RNG = np.random.default_rng(0)


def write(path: Path, data: np.ndarray) -> Path:
    nibabel.nifti1.Nifti1Image(data, AFFINE).to_filename(path)
    return path


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (np.ones((4, 4, 4), np.complex64), "type complex64"),
        (np.full((4, 4, 4), np.nan, np.float32), "64 NaN or infinite voxels"),
        (np.full((4, 4, 4), 7, np.int16), "one intensity"),
        (np.ones((4, 4), np.float32), "2-D data"),
    ],
)
def test_what_is_no_scan_is_named(tmp_path: Path, data: np.ndarray, complaint: str) -> None:
    path = write(tmp_path / "scan.nii.gz", data)
    with pytest.raises(BadFile, match=complaint) as caught:
        read_scan(path)
    assert str(path) in str(caught.value)


def test_a_mask_off_its_image_is_told_from_one_that_is_rounded(tmp_path: Path) -> None:
    image = Lattice((4, 5, 6), AFFINE)
    near, far = AFFINE.copy(), AFFINE.copy()
    near[0, 3] += 1e-3
    far[0, 3] += 0.5
    check_same_lattice(Path("mask"), Volume(np.zeros((4, 5, 6)), near), Path("image"), image)
    with pytest.raises(BadFile, match="got affine"):
        check_same_lattice(Path("mask"), Volume(np.zeros((4, 5, 6)), far), Path("image"), image)
    with pytest.raises(BadFile, match="got shape"):
        check_same_lattice(Path("mask"), Volume(np.zeros((4, 5, 5)), AFFINE), Path("image"), image)
    write_volume(tmp_path / "x.nii.gz", Volume(np.zeros((2, 2, 2)), AFFINE), np.float32)
    assert image.voxel_ml == pytest.approx(0.006)


def ramp(shape: tuple[int, int, int], affine: np.ndarray) -> Volume:
    """Each voxel holds 2 x + 3 y - z + 500 of its place in mm."""
    places = np.indices(shape).reshape(3, -1)
    x, y, z = affine[:3, :3] @ places + affine[:3, 3:]
    return Volume((2 * x + 3 * y - z + 500).reshape(shape).astype(np.float32), affine)


@pytest.mark.parametrize("order", [1, 3])
def test_a_value_is_found_at_its_place_in_mm_through_any_transform(order: Order) -> None:
    source = ramp((30, 31, 32), turn((20, -10, 30), (1, 1, 1), (-3, 5, 7)))
    to_source = turn((5, 8, -12), (1.02, 0.97, 1.01), (1, -2, 3))
    middle = np.linalg.inv(to_source) @ source.affine @ [15, 15, 16, 1]
    lattice = Lattice((5, 5, 5), np.eye(4))
    lattice.affine[:3, 3] = middle[:3] - 2
    got = resample(source, lattice, to_source, order=order)
    there = to_source @ lattice.affine @ np.vstack([np.indices((5, 5, 5)).reshape(3, -1), np.ones(125)])
    wanted = 2 * there[0] + 3 * there[1] - there[2] + 500
    assert np.allclose(got.ravel(), wanted, atol=0.02)


def test_voxels_that_fall_on_voxels_are_cropped_and_padded_bit_for_bit() -> None:
    rng = np.random.default_rng(0)
    source = Volume(rng.random((6, 7, 8)).astype(np.float32), np.eye(4))
    lattice = Lattice((8, 4, 8), np.eye(4))
    lattice.affine[:3, 3] = (-1, 2, 3)
    got = resample(source, lattice, order=3)
    wanted = np.zeros((8, 4, 8), np.float32)
    wanted[1:7, :, :5] = source.data[:, 2:6, 3:]
    assert np.array_equal(got, wanted)


def test_a_volume_elsewhere_gives_nothing() -> None:
    source = Volume(np.ones((4, 4, 4), np.float32), np.eye(4))
    lattice = Lattice((4, 4, 4), turn((0, 0, 0), (1, 1, 1), (50, 0, 0)))
    assert not resample(source, lattice, order=1).any()


def test_only_the_wanted_voxels_are_computed_and_they_are_the_same() -> None:
    rng = np.random.default_rng(0)
    source = Volume(rng.random((9, 9, 9)).astype(np.float32), turn((5, 0, 9), (1, 1, 1), (0.3, 0.2, 0.1)))
    lattice = Lattice((9, 9, 9), np.eye(4))
    where = rng.random((9, 9, 9)) > 0.5
    whole, part = resample(source, lattice, order=3), resample(source, lattice, order=3, where=where)
    assert np.allclose(part[where], whole[where], atol=1e-6)
    assert not part[~where].any()


def test_splines_stay_within_the_range_of_the_scan() -> None:
    source = Volume(np.where(np.indices((12, 12, 12))[0] > 5, 100, 0).astype(np.float32), np.eye(4))
    got = resample(source, Lattice((24, 12, 12), np.diag([0.5, 1, 1, 1.0])), order=3)
    assert got.min() >= 0
    assert got.max() <= 100


def test_coarser_voxels_average_fine_texture_instead_of_picking_from_it() -> None:
    chequered = np.indices((48, 48, 48)).sum(axis=0) % 2 * 100.0
    source = Volume(chequered.astype(np.float32), np.eye(4))
    got = resample(source, Lattice((8, 8, 8), turn((0, 0, 0), (4, 4, 4), (8, 8, 8))), order=1)
    assert np.allclose(got, 50, atol=2)


def test_an_upright_lattice_holds_every_voxel_of_a_turned_one() -> None:
    source = Lattice((10, 20, 30), turn((15, 25, -35), (1, 2, 0.7), (3, 4, 5)))
    found = upright_lattice(source, 2.0)
    corners = np.array(np.meshgrid([-0.5, 9.5], [-0.5, 19.5], [-0.5, 29.5])).reshape(3, -1)
    places = np.linalg.inv(found.affine) @ source.affine @ np.vstack([corners, np.ones(8)])
    assert (places[:3] >= -0.51).all()
    assert (places[:3] <= np.array(found.shape)[:, None] - 0.49).all()
    assert np.allclose(found.affine[:3, :3], 2 * np.eye(3))


def test_a_mask_moved_by_part_of_a_voxel_keeps_its_size() -> None:
    ball = (((np.indices((20, 20, 20)).transpose(1, 2, 3, 0) - 9.5) ** 2).sum(-1) < 49).astype(bool)
    lattice = Lattice((20, 20, 20), turn((0, 0, 0), (1, 1, 1), (0.4, 0.3, 0)))
    assert resample_mask(Volume(ball, np.eye(4)), lattice).sum() == pytest.approx(ball.sum(), rel=0.03)

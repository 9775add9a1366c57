import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from datasets.errors import BadFile, MissingData
from datasets.preparation.volume import (
    Lattice,
    Volume,
    check_same_lattice,
    read_scan,
    read_volume,
    write_floats,
    write_image,
)

AFFINE = np.array([[0, -2, 0, 5], [1, 0, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1.0]])
RNG = np.random.default_rng(0)


def write(path: Path, data: np.ndarray) -> Path:
    nibabel.nifti1.Nifti1Image(data, AFFINE).to_filename(path)
    return path


def test_sixteen_bits_keep_an_image_to_a_part_in_a_hundred_thousand(tmp_path: Path) -> None:
    image = Volume((RNG.random((5, 6, 7)) * 3000).astype(np.float32), AFFINE)
    write_image(tmp_path / "image.nii.gz", image)
    kept = read_scan(tmp_path / "image.nii.gz")
    assert np.abs(kept.data - image.data).max() < 3000 * 1e-5
    assert np.allclose(kept.affine, AFFINE)


def test_a_fourth_axis_of_one_volume_is_dropped_and_a_longer_one_refused(tmp_path: Path) -> None:
    data = RNG.random((4, 5, 6, 1)).astype(np.float32)
    assert read_scan(write(tmp_path / "one.nii.gz", data)).data.shape == (4, 5, 6)
    with pytest.raises(BadFile, match="got 4-D data"):
        read_volume(write(tmp_path / "two.nii.gz", np.repeat(data, 2, axis=3)))


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (np.ones((4, 4, 4), np.complex64), "type complex64"),
        (np.full((4, 4, 4), np.nan, np.float32), "64 voxels that are NaN"),
        (np.full((4, 4, 4), 7, np.int16), "one intensity"),
        (np.ones((4, 4), np.float32), "2-D data"),
    ],
)
def test_what_is_no_scan_is_named(tmp_path: Path, data: np.ndarray, complaint: str) -> None:
    path = write(tmp_path / "scan.nii.gz", data)
    with pytest.raises(BadFile, match=complaint) as caught:
        read_scan(path)
    assert str(path) in str(caught.value)


def test_a_torn_file_is_named_even_where_only_its_end_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.nii.gz", RNG.random((8, 8, 8)).astype(np.float32))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-4], b"", b"not a scan"):
        path.write_bytes(content)
        with pytest.raises(BadFile, match="cannot be read"):
            read_volume(path)
    with pytest.raises(MissingData, match="No file"):
        read_volume(tmp_path / "other.nii.gz")


def test_a_header_that_declares_too_much_takes_no_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.nii", np.ones((4, 4, 4), np.float32))
    content = bytearray(path.read_bytes())
    content[42:48] = np.array([30000] * 3, "<i2").tobytes()
    for name, stored in (("scan.nii", bytes(content)), ("scan.nii.gz", gzip.compress(bytes(content)))):
        (tmp_path / name).write_bytes(stored)
        with pytest.raises(BadFile, match="declares"):
            read_volume(tmp_path / name)


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
    write_floats(tmp_path / "x.nii.gz", Volume(np.zeros((2, 2, 2)), AFFINE))
    assert image.voxel_ml == pytest.approx(0.006)

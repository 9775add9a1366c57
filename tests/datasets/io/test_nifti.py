"""NIfTI files: rounding keeps every value of an image, and damaged files are refused before they take memory."""

import gzip
from pathlib import Path

import nibabel
import numpy as np
import pytest

from datasets.errors import BadFile, MissingData
from datasets.io.nifti import Volume, read_volume, round_mantissa, stem, write_rounded
from datasets.preparation.resampling import read_scan

AFFINE = np.array([[0, -2, 0, 5], [1, 0, 0, -7], [0, 0, 3, 1], [0, 0, 0, 1.0]])
RNG = np.random.default_rng(0)


def write(path: Path, data: np.ndarray) -> Path:
    nibabel.nifti1.Nifti1Image(data, AFFINE).to_filename(path)
    return path


def test_axes_are_turned_to_ras_unless_they_are_read_as_stored(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.nii.gz", RNG.random((4, 5, 6)).astype(np.float32))
    stored, turned = read_volume(path, as_stored=True), read_volume(path)
    assert np.array_equal(stored.affine, AFFINE)
    assert nibabel.aff2axcodes(turned.affine) == ("R", "A", "S")
    assert (stored.data.shape, turned.data.shape) == ((4, 5, 6), (5, 4, 6))
    assert np.array_equal(np.sort(stored.data, axis=None), np.sort(turned.data, axis=None))


def test_sheared_axes_are_only_read_as_stored(tmp_path: Path) -> None:
    affine = AFFINE.copy()
    affine[0, 0] = 0.3
    nibabel.nifti1.Nifti1Image(np.ones((4, 4, 4), np.float32), affine).to_filename(tmp_path / "scan.nii.gz")
    assert np.allclose(read_volume(tmp_path / "scan.nii.gz", as_stored=True).affine, affine)
    with pytest.raises(BadFile, match="voxel axes at"):
        read_volume(tmp_path / "scan.nii.gz")


def test_an_image_is_kept_to_a_part_in_thirty_thousand_of_each_value_beside_an_outlier(tmp_path: Path) -> None:
    image = Volume((RNG.normal(size=(5, 6, 7)) * 3000).astype(np.float32), AFFINE)
    image.data[0, 0, :2] = 1e9, 0
    write_rounded(tmp_path / "image.nii.gz", image)
    kept = read_scan(tmp_path / "image.nii.gz")
    assert np.all(np.abs(kept.data - image.data) <= np.abs(image.data) * 2.0**-15)
    assert np.allclose(kept.affine, AFFINE)


@pytest.mark.parametrize("bits", [1, 5, 10, 22, 23])
def test_a_mantissa_is_rounded_to_the_nearest_and_from_halfway_to_the_even_one(bits: int) -> None:
    steps = RNG.integers(2**bits * 4, 2**bits * 8, 2000) / 4  # many of them halfway
    values = np.ldexp(steps, RNG.integers(-100, 100, 2000)).astype(np.float32) * RNG.choice([-1, 1], 2000)
    fraction, exponent = np.frexp(values.astype(np.float64))
    wanted = np.ldexp(np.round(np.ldexp(fraction, bits + 1)), exponent - bits - 1)
    assert np.array_equal(round_mantissa(values.astype(np.float32), bits), wanted)
    assert not round_mantissa(np.zeros(3, np.float32), bits).any()


def test_a_fourth_axis_of_one_volume_is_dropped_and_a_longer_one_refused(tmp_path: Path) -> None:
    data = RNG.random((4, 5, 6, 1)).astype(np.float32)
    assert read_scan(write(tmp_path / "one.nii.gz", data)).data.shape == (4, 5, 6)
    with pytest.raises(BadFile, match="got 4-D data"):
        read_volume(write(tmp_path / "two.nii.gz", np.repeat(data, 2, axis=3)))


def test_a_torn_file_is_named_even_where_only_its_end_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.nii.gz", RNG.random((8, 8, 8)).astype(np.float32))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-4], b"", b"not a scan"):
        path.write_bytes(content)
        with pytest.raises(BadFile, match="cannot be read"):
            read_volume(path, as_stored=True)
    with pytest.raises(MissingData, match="No file"):
        read_volume(tmp_path / "other.nii.gz", as_stored=True)


def test_a_header_that_declares_too_much_takes_no_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "scan.nii", np.ones((4, 4, 4), np.float32))
    content = bytearray(path.read_bytes())
    content[42:48] = np.array([30000] * 3, "<i2").tobytes()
    for name, stored in (("scan.nii", bytes(content)), ("scan.nii.gz", gzip.compress(bytes(content)))):
        (tmp_path / name).write_bytes(stored)
        with pytest.raises(BadFile, match="declares"):
            read_volume(tmp_path / name, as_stored=True)


@pytest.mark.parametrize(("code", "per_mm"), [(1, 0.001), (2, 1.0), (3, 1000.0), (0, 1.0)])
def test_lengths_are_in_mm_whatever_the_unit_of_the_header(tmp_path: Path, code: int, per_mm: float) -> None:
    nifti = nibabel.nifti1.Nifti1Image(np.ones((4, 5, 6), np.uint8), np.diag([per_mm] * 3 + [1]) @ AFFINE)
    nifti.header["xyzt_units"] = code
    nifti.to_filename(tmp_path / "scan.nii.gz")
    for as_stored in (True, False):
        volume = read_volume(tmp_path / "scan.nii.gz", as_stored=as_stored)
        assert np.allclose(np.sort(volume.spacing), (1, 2, 3))
        assert abs(np.linalg.det(volume.affine[:3, :3])) == pytest.approx(6)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz", "scan.NII.GZ", "scan.Nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.nifti1.Nifti1Image, nibabel.nifti2.Nifti2Image])
def test_both_versions_are_read_under_every_spelling_of_the_ending(tmp_path: Path, name: str, kind: type) -> None:
    data = RNG.random((4, 5, 6)).astype(np.float32)
    content = kind(data, AFFINE).to_bytes()
    (tmp_path / name).write_bytes(gzip.compress(content) if name.lower().endswith(".gz") else content)
    volume = read_volume(tmp_path / name, as_stored=True)
    assert np.array_equal(volume.data, data)
    assert np.allclose(volume.affine, AFFINE)
    assert stem(tmp_path / name) == "scan"


def test_a_header_with_left_and_right_in_two_places_is_refused_by_every_reader(tmp_path: Path) -> None:
    nifti = nibabel.nifti1.Nifti1Image(RNG.random((4, 5, 6)).astype(np.float32), np.eye(4))
    nifti.set_qform(np.diag([-1.0, 1, 1, 1]), code=1)
    nifti.set_sform(np.eye(4), code=1)
    nifti.to_filename(tmp_path / "scan.nii.gz")
    for read in (read_volume, read_scan):
        with pytest.raises(BadFile, match=r"got sform RAS and qform LAS, up to .* expected one place"):
            read(tmp_path / "scan.nii.gz")

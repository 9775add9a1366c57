"""What is read back is what was written, within half a level, and a torn file is named."""

from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.storage.maps import read_volume, write_volume
from datasets.errors import BadFile
from datasets.io.nifti import LEVELS

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])


def volume(seed: int, low: float, high: float, shape: tuple[int, int, int] = (5, 4, 3)) -> NDArray[np.float32]:
    drawn = np.random.default_rng(seed).uniform(low, high, shape).astype(np.float32)
    drawn[0, 0, 0], drawn[-1, -1, -1] = low, high
    return drawn


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1), st.floats(-1e4, 1e4, width=32), st.floats(2**-10, 1e6, width=32))
def test_the_error_is_half_a_level_at_most(tmp_path: Path, seed: int, low: float, span: float) -> None:
    wanted = volume(seed, low, low + span)
    write_volume(tmp_path / "map.nii.gz", wanted, AFFINE)
    got = read_volume(tmp_path / "map.nii.gz")
    level = (float(wanted.max()) - float(wanted.min())) / LEVELS
    rounding = 2e-7 * float(np.abs(wanted).max())  # of float32, in the slope and in the result
    assert got.dtype == np.float32
    assert np.abs(got.astype(np.float64) - wanted).max() <= level / 2 * 1.001 + rounding


@pytest.mark.parametrize("high", [1e-30, 1e-3, 1.0, 7.3, 1e6])
def test_zero_stays_zero_and_order_stays_order(tmp_path: Path, high: float) -> None:
    wanted = volume(0, 0.0, high)
    write_volume(tmp_path / "map.nii.gz", wanted, AFFINE)
    got = read_volume(tmp_path / "map.nii.gz")
    assert got[0, 0, 0] == 0
    assert got.min() == 0
    assert np.all(np.diff(got.ravel()[np.argsort(wanted.ravel())]) >= 0)


@pytest.mark.parametrize("value", [0.0, 0.25, -3.0])
def test_a_constant_volume_is_kept_exactly(tmp_path: Path, value: float) -> None:
    write_volume(tmp_path / "map.nii.gz", np.full((3, 3, 3), value, np.float32), AFFINE)
    assert np.all(read_volume(tmp_path / "map.nii.gz") == value)


def test_other_programs_read_the_same_numbers_and_place(tmp_path: Path) -> None:
    wanted = volume(1, 0.0, 1.0)
    write_volume(tmp_path / "map.nii.gz", wanted, AFFINE)
    nifti = nibabel.nifti1.Nifti1Image.from_filename(tmp_path / "map.nii.gz")
    assert nifti.get_data_dtype() == np.uint16
    assert np.array_equal(nifti.affine, AFFINE)
    assert np.abs(nifti.get_fdata() - wanted).max() < 1e-5
    assert [path.name for path in tmp_path.iterdir()] == ["map.nii.gz"]


@pytest.mark.parametrize("kept", [0, 10, 60])
def test_a_torn_map_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "map.nii.gz"
    write_volume(path, volume(0, 0.0, 1.0, (20, 20, 20)), AFFINE)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadFile, match=r"map.nii.gz: got a file that cannot be read"):
        read_volume(path)


def test_a_map_with_a_damaged_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "map.nii.gz"
    write_volume(path, volume(0, 0.0, 1.0, (20, 20, 20)), AFFINE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"map.nii.gz"):
        read_volume(path)


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"absent.nii.gz"):
        read_volume(tmp_path / "absent.nii.gz")

"""A kept map ranks its voxels as the map did, whatever its values; what is no map is refused, a torn file named."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage
from sklearn.metrics import average_precision_score

from benchmark.storage.maps import FEW_LEVELS, FEWEST_BITS, MERGED, read_volume, round_in_order, write_map, write_volume
from datasets.errors import BadFile

AFFINE = np.diag([2.0, 2.0, 3.0, 1.0])
Map = NDArray[np.float32]
RNG = np.random.default_rng


def with_outlier(values: Map, outlier: float) -> Map:
    values[0] = outlier
    return values


MAPS: dict[str, Callable[[int, int], Map]] = {
    "residual": lambda seed, n: RNG(seed).exponential(0.1, n).astype(np.float32),
    "a hot voxel": lambda seed, n: with_outlier(RNG(seed).exponential(0.1, n).astype(np.float32), 1e5),
    "of any size": lambda seed, n: (10 ** RNG(seed).uniform(-30, 30, n)).astype(np.float32),
    "far from 0": lambda seed, n: (1000 + RNG(seed).normal(0, 0.1, n)).astype(np.float32),
    "almost constant": lambda seed, n: (1 + RNG(seed).integers(0, 400, n) * 2.0**-23).astype(np.float32),
    "few levels": lambda seed, n: (RNG(seed).integers(0, 9, n) / 8).astype(np.float32),
    "mostly 0": lambda seed, n: RNG(seed).exponential(0.1, n).astype(np.float32) * (RNG(seed).random(n) < 0.01),
    "next to 0": lambda seed, n: (RNG(seed).integers(0, 5000, n) * 2.0**-149).astype(np.float32),
    "next to infinity": lambda seed, n: RNG(seed).uniform(3e38, 3.4028e38, n).astype(np.float32),
}
kinds = st.sampled_from(list(MAPS.values()))
seeds = st.integers(0, 2**32 - 1)


def lesion_in(scores: Map, seed: int, share: float = 0.03) -> NDArray[np.bool_]:
    """Voxels that score higher than the others as a rule."""
    noisy = scores.argsort().argsort() / scores.size + RNG(seed).normal(0, 0.5, scores.size)
    return np.asarray(noisy > np.quantile(noisy, 1 - share))


def dice(prediction: NDArray[np.bool_], lesion: NDArray[np.bool_]) -> float:
    return 2 * float((prediction & lesion).sum()) / float(prediction.sum() + lesion.sum())


@settings(max_examples=30, deadline=None)
@given(kinds, seeds)
def test_scores_of_a_kept_map_are_the_maps(draw: Callable[[int, int], Map], seed: int) -> None:
    scores = draw(seed, 30000)
    kept, lesion = round_in_order(scores), lesion_in(scores, seed)
    assert abs(average_precision_score(lesion, kept / 2) - average_precision_score(lesion, scores / 2)) < 1e-4
    for quantile in (0.5, 0.9, 0.95, 0.99, 0.999):
        before, after = (np.quantile(one, quantile, method="inverted_cdf") for one in (scores, kept))
        assert abs(float(after) - float(before)) <= 1e-3 * float(before)
        predicted = int((scores > before).sum())  # of which those go that have become equal to the threshold
        most = 2 * MERGED * predicted / (predicted + lesion.sum())
        assert abs(dice(kept > after, lesion) - dice(scores > before, lesion)) <= max(most, 1e-4)


@settings(max_examples=60, deadline=None)
@given(kinds, seeds, st.integers(1, 30000))
def test_order_is_kept_and_groups_that_become_equal_are_small(
    draw: Callable[[int, int], Map], seed: int, size: int
) -> None:
    scores = np.sort(draw(seed, size))[::-1]
    kept = round_in_order(scores)
    assert np.all(kept[1:] <= kept[:-1])
    assert np.all((kept == 0) == (scores == 0))
    step = np.maximum(scores, np.finfo(np.float32).smallest_normal).astype(np.float64) / 2**FEWEST_BITS
    assert np.all(np.abs(kept.astype(np.float64) - scores) <= step / 2)
    _, begins, sizes = np.unique(-kept, return_index=True, return_counts=True)
    merged = scores[begins] != scores[begins + sizes - 1]
    assert np.all(sizes[merged] <= MERGED * (begins + 1)[merged])


@settings(max_examples=30, deadline=None)
@given(kinds, seeds)
def test_no_labels_at_all_move_average_precision_by_more_than_the_share_of_equal_voxels(
    draw: Callable[[int, int], Map], seed: int
) -> None:
    scores = np.sort(draw(seed, 20000))[::-1]
    kept, random = round_in_order(scores), RNG(seed)
    begins = np.unique(-kept, return_index=True)[1]
    lesions = random.choice(begins, min(begins.size, 500), replace=False)  # the first voxel of a group each
    first = np.isin(np.arange(scores.size), lesions)
    run = (np.arange(scores.size) - random.integers(0, 15000)) % scores.size < 300  # 300 neighbours in the ranking
    for lesion in (first, run):
        change = average_precision_score(lesion, kept / 2) - average_precision_score(lesion, scores / 2)
        assert abs(change) < MERGED


def test_a_map_of_few_levels_is_kept_exactly() -> None:
    levels = RNG(0).random(FEW_LEVELS).astype(np.float32)
    scores = RNG(1).choice(levels, 30000)
    assert np.array_equal(round_in_order(scores), scores)
    more = np.append(scores, RNG(2).random(1000)).astype(np.float32)
    assert not np.array_equal(round_in_order(more), more)


@settings(max_examples=10, deadline=None)
@given(seeds, st.floats(0.25, 0.75, width=32))
def test_voxels_of_clipped_maps_tie_across_cases(seed: int, highest: float) -> None:
    maps = [np.minimum(RNG([seed, case]).exponential(0.2, 30000), highest).astype(np.float32) for case in range(4)]
    lesion = np.concatenate([lesion_in(one, seed, 0.02 * case) for case, one in enumerate(maps)])
    before, after = np.concatenate(maps), np.concatenate([round_in_order(one) for one in maps])
    assert abs(average_precision_score(lesion, after) - average_precision_score(lesion, before)) < 1e-4
    assert np.array_equal(after == after.max(), before == before.max())


@pytest.mark.parametrize("name", MAPS)
def test_other_programs_read_the_same_numbers_and_place(tmp_path: Path, name: str) -> None:
    wanted = MAPS[name](0, 600).reshape(10, 12, 5)
    write_map(tmp_path / "map.nii.gz", wanted, AFFINE)
    nifti = nibabel.nifti1.Nifti1Image.from_filename(tmp_path / "map.nii.gz")
    assert nifti.get_data_dtype() == np.float32
    assert np.array_equal(nifti.affine, AFFINE)
    assert np.array_equal(nifti.get_fdata(), round_in_order(wanted))
    assert np.array_equal(read_volume(tmp_path / "map.nii.gz"), round_in_order(wanted))
    assert [path.name for path in tmp_path.iterdir()] == ["map.nii.gz"]


def test_a_file_is_at_most_135_hundredths_of_one_of_16_linear_bits(tmp_path: Path) -> None:
    x, y, z = np.mgrid[-1:1:48j, -1:1:48j, -1:1:25j]
    smooth = ndimage.gaussian_filter(RNG(0).normal(size=x.shape), 1.0)
    wanted = np.where(x**2 + y**2 + z**2 < 0.8, np.abs(smooth), 0).astype(np.float32)
    write_map(tmp_path / "map.nii.gz", wanted, AFFINE)
    levels = np.round(wanted / wanted.max() * 65535).astype(np.uint16)
    linear = gzip.compress(nibabel.nifti1.Nifti1Image(levels, AFFINE).to_bytes(), 1)
    assert (tmp_path / "map.nii.gz").stat().st_size < 1.35 * len(linear)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (1j, "complex64 values, expected real numbers"),
        (np.inf, "values from 0 to inf, expected finite"),
        (-1e-20, "values from -1e-20 to 0, expected finite ones from 0 up"),
        (np.nan, "values from nan to nan"),
    ],
)
def test_what_is_no_map_is_refused_by_name(tmp_path: Path, wrong: complex, told: str) -> None:
    volume: NDArray[Any] = np.zeros((3, 3, 3), np.complex64 if isinstance(wrong, complex) else np.float32)
    volume[1, 1, 1] = wrong
    with pytest.raises(ValueError, match=f"Anomaly map patient-7.nii.gz: got {told}"):
        write_map(tmp_path / "patient-7.nii.gz", volume, AFFINE)
    assert not list(tmp_path.iterdir())


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seeds, st.floats(-1e4, 1e4, width=32), st.floats(2**-10, 1e6, width=32))
def test_a_reconstruction_keeps_each_value_to_a_part_in_thirty_thousand(
    tmp_path: Path, seed: int, low: float, span: float
) -> None:
    wanted = RNG(seed).uniform(low, low + span, (5, 4, 3)).astype(np.float32)
    wanted[0, 0] = (0.0, 1e6, -1e6)
    write_volume(tmp_path / "reconstruction.nii.gz", wanted, AFFINE)
    got = read_volume(tmp_path / "reconstruction.nii.gz")
    assert got.dtype == np.float32
    assert np.all(np.abs(got.astype(np.float64) - wanted) <= np.abs(wanted) * 2.0**-15)


@pytest.mark.parametrize("kept", [0, 10, 60])
def test_a_torn_map_is_named(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "map.nii.gz"
    write_map(path, RNG(0).random((20, 20, 20)), AFFINE)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadFile, match=r"map.nii.gz: got a file that cannot be read"):
        read_volume(path)


def test_a_map_with_a_damaged_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "map.nii.gz"
    write_map(path, RNG(0).random((20, 20, 20)), AFFINE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(BadFile, match=r"map.nii.gz"):
        read_volume(path)


def test_a_missing_map_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadFile, match=r"absent.nii.gz"):
        read_volume(tmp_path / "absent.nii.gz")

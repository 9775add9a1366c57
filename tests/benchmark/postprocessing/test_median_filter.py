"""The compiled median filter against SciPy's."""

import numpy as np
import pytest
from scipy import ndimage

from benchmark.postprocessing.median_filter import median_filter


@pytest.mark.parametrize("size", [1, 3, 5, 7, 9, 15])
@pytest.mark.parametrize("decimals", [1, 7])  # many equal scores, and none
@pytest.mark.parametrize("shape", [(7, 8, 9), (1, 1, 3), (12, 3, 130), (9, 9, 60), (6, 70, 61), (4, 4, 64)])
def test_it_is_scipys_median_where_it_is_asked_for(shape: tuple[int, ...], decimals: int, size: int) -> None:
    rng = np.random.default_rng(size)
    scores = np.round(rng.normal(size=shape), decimals).astype(np.float32)
    where = rng.random(shape) < 0.3
    where[0] = False
    got = median_filter(scores, where, size)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.where(where, ndimage.median_filter(scores, size), 0))


def test_extreme_scores_are_kept_to_the_last_digit() -> None:
    numbers = np.finfo(np.float32)
    scores = np.array([[[numbers.tiny, numbers.max, -numbers.max, -numbers.smallest_subnormal, 0, 1]]], np.float32)
    everywhere = np.ones(scores.shape, dtype=bool)
    np.testing.assert_array_equal(median_filter(scores, everywhere, 1), scores)
    np.testing.assert_array_equal(median_filter(scores, everywhere, 3), ndimage.median_filter(scores, 3))


def test_nowhere_is_nothing() -> None:
    scores = np.ones((3, 4, 5), dtype=np.float32)
    assert not median_filter(scores, np.zeros(scores.shape, dtype=bool), 5).any()


@pytest.mark.parametrize("size", [0, 2, 17, -1])
def test_sizes_that_it_does_not_know_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"Got a median over {size} voxels"):
        median_filter(np.ones((3, 3, 3), np.float32), np.ones((3, 3, 3), dtype=bool), size)

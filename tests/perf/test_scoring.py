"""Speed of scoring on the published grid."""

from timeit import repeat

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage

from benchmark.metrics import auroc, average_precision
from benchmark.metrics.ranking import best_dice
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.study.protocols import PROTOCOLS

Scores = NDArray[np.float32]
Mask = NDArray[np.bool_]
SPACING = (2.0, 2.0, 2.0)


@pytest.fixture(scope="module")
def brain_mask() -> Mask:
    """`(96, 96, 50)`: an ellipsoid as large as a brain at 2 mm, 191,136 voxels."""
    x, y, z = np.indices((96, 96, 50)) - np.array([48, 48, 25])[:, None, None, None]
    return np.asarray((x / 36) ** 2 + (y / 44) ** 2 + (z / 30) ** 2 < 1)


@pytest.fixture(scope="module")
def anomaly_map(brain_mask: Mask) -> Scores:
    return np.random.default_rng(0).random(brain_mask.shape, dtype=np.float32)


@pytest.fixture(scope="module")
def pool() -> tuple[Scores, Mask]:
    """21 lesion validation cases of 120,000 brain voxels, 1 % of them lesion, a third of the scores 0."""
    rng = np.random.default_rng(0)
    lesion = rng.random(21 * 120_000) < 0.01
    scores = np.abs(rng.normal(size=lesion.size) + 2 * lesion).astype(np.float32)
    scores[rng.random(lesion.size) < 1 / 3] = 0
    return scores, lesion


def test_the_published_pipelines_median_is_faster_than_scipys_and_equal(
    benchmark: BenchmarkFixture, brain_mask: Mask, anomaly_map: Scores
) -> None:
    smoothed = benchmark(PIPELINES["paper"].filter, anomaly_map, brain_mask, SPACING).scores
    kept = ndimage.binary_erosion(brain_mask, ndimage.generate_binary_structure(2, 1)[:, :, None], 3)
    masked = np.where(kept, anomaly_map, 0)
    np.testing.assert_array_equal(smoothed, np.where(kept, ndimage.median_filter(masked, 5), 0))
    scipy_seconds = min(repeat(lambda: ndimage.median_filter(masked, 5), number=1, repeat=3))
    own_seconds = min(
        repeat(lambda: PIPELINES["paper"].filter(anomaly_map, brain_mask, SPACING).scores, number=1, repeat=3)
    )
    benchmark.extra_info["scipy_seconds"] = scipy_seconds
    assert own_seconds < scipy_seconds / 2


def test_the_light_pipeline(benchmark: BenchmarkFixture, brain_mask: Mask, anomaly_map: Scores) -> None:
    assert benchmark(PIPELINES["light"].filter, anomaly_map, brain_mask, SPACING).scores.shape == brain_mask.shape


def test_the_best_dice_of_a_pooled_cohort_takes_under_two_seconds(
    benchmark: BenchmarkFixture, pool: tuple[Scores, Mask]
) -> None:
    assert benchmark(best_dice, *pool)[1] > 0
    assert min(repeat(lambda: best_dice(*pool), number=1, repeat=2)) < 2


def test_average_precision_of_a_pooled_cohort(benchmark: BenchmarkFixture, pool: tuple[Scores, Mask]) -> None:
    assert 0.01 < benchmark(average_precision, *pool) < 1


def test_auroc_of_a_pooled_cohort(benchmark: BenchmarkFixture, pool: tuple[Scores, Mask]) -> None:
    assert 0.5 < benchmark(auroc, *pool) < 1


def test_the_healthy_threshold_of_44_scans(benchmark: BenchmarkFixture, pool: tuple[Scores, Mask]) -> None:
    scans = [pool[0][:120_000]] * 44
    of_scan = PROTOCOLS["healthy-fpr-1"].of_scan
    assert of_scan is not None
    assert benchmark(lambda: np.mean([of_scan(scan, scan) for scan in scans])) > 0

"""Closeness of images against loops over windows, scikit-learn and SciPy."""

from math import isnan, log2, log10

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon
from scipy.stats import entropy, wasserstein_distance
from sklearn.metrics import mean_absolute_error, mean_squared_error

from benchmark.metrics import (
    METRICS,
    histogram_entropy_difference,
    histogram_js,
    histogram_kl,
    l1,
    psnr,
    ssim,
    wasserstein_1,
)
from benchmark.metrics.metric import Reconstruction, compute
from benchmark.metrics.registry import AS_PUBLISHED

Volume = NDArray[np.float64]
Mask = NDArray[np.bool_]


def pairs(count: int) -> list[tuple[Volume, Volume, Mask]]:
    """Images in [0, 1] and reconstructions beyond it; flat, equal and one-voxel ones among them."""
    found = []
    for number in range(count):
        rng = np.random.default_rng(number)
        shape = tuple(rng.integers(1, 7, 3))
        image = rng.integers(0, 5, shape) / 4 if number % 4 == 0 else rng.random(shape)
        reconstruction = image.copy() if number % 7 == 0 else image + rng.normal(0, 0.3, shape)
        mask = rng.random(shape) < rng.choice([0, 0.1, 0.6, 1])
        if number % 5 == 0:
            mask[:] = False
            mask.flat[rng.integers(mask.size)] = True
        found.append((image, reconstruction, mask))
    return found


def densities(image: Volume, reconstruction: Volume, mask: Mask) -> list[Volume]:
    edges = [-np.inf, *(np.arange(501) / 500), np.inf]
    counts = []
    for volume in (image, reconstruction):
        values = volume[mask]
        inner = np.where(values == 1, np.nextafter(1, 0), values)  # the last bin is closed above
        counts.append(np.histogram(inner, bins=edges)[0])
    return [(count + 0.5) / (count + 0.5).sum() for count in counts]


def test_intensity_metrics_equal_scikit_learn_and_scipy_on_random_volumes() -> None:
    for image, reconstruction, mask in pairs(1000):
        got = [metric(image, reconstruction, mask) for metric in (l1, psnr, wasserstein_1)]
        if not mask.any():
            assert all(isnan(value) for value in got)
            continue
        x, y = image[mask], reconstruction[mask]
        error = max(mean_squared_error(x, y), 65535**-2)
        wanted = [mean_absolute_error(x, y), 10 * log10(1 / error), wasserstein_distance(x, y)]
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_histogram_metrics_equal_scipy_on_random_volumes() -> None:
    metrics = (histogram_kl, histogram_js, histogram_entropy_difference)
    for image, reconstruction, mask in pairs(1000)[::2]:
        got = [metric(image, reconstruction, mask) for metric in metrics]
        if not mask.any():
            assert all(isnan(value) for value in got)
            continue
        p, q = densities(image, reconstruction, mask)
        wanted = [entropy(p, q), jensenshannon(p, q) ** 2, entropy(q) - entropy(p)]
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def ssim_by_windows(image: Volume, reconstruction: Volume, brain: Mask) -> float:
    """Voxel by voxel over mirrored 11 x 11 windows of the axial slice."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    values = []
    for x, y, z in np.argwhere(brain):
        windows = []
        for volume in (image, reconstruction):
            padded = np.pad(volume[:, :, z], 5, mode="symmetric")
            windows.append(padded[x : x + 11, y : y + 11])
        a, b = windows
        mean_a, mean_b = (weights * a).sum(), (weights * b).sum()
        var_a, var_b = (weights * (a - mean_a) ** 2).sum(), (weights * (b - mean_b) ** 2).sum()
        both = (weights * (a - mean_a) * (b - mean_b)).sum()
        up = (2 * mean_a * mean_b + 1e-4) * (2 * both + 9e-4)
        values.append(up / ((mean_a**2 + mean_b**2 + 1e-4) * (var_a + var_b + 9e-4)))
    return float(np.mean(values))


def test_ssim_equals_a_loop_over_windows_on_random_volumes() -> None:
    compared = 0
    for image, reconstruction, mask in pairs(1000)[::5] + pairs(1000)[1::5]:
        got = ssim(image, reconstruction, mask)
        if not mask.any():
            assert isnan(got)
            continue
        if mask.sum() <= 40:
            assert got == pytest.approx(ssim_by_windows(image, reconstruction, mask), abs=1e-9)
            compared += 1
    assert compared > 200


def test_an_image_is_like_itself() -> None:
    image = np.random.default_rng(0).random((6, 7, 4))
    whole = np.ones(image.shape, dtype=bool)
    assert ssim(image, image, whole) == pytest.approx(1)
    assert psnr(image, image, whole) == pytest.approx(20 * log10(65535))
    assert histogram_kl(image, image, whole) == histogram_js(image, image, whole) == 0


def test_the_published_formula_takes_any_permuted_histogram_for_equal_and_a_divergence_does_not() -> None:
    """All voxels dark against all voxels bright: as far apart as can be, and of the same entropy."""
    dark, bright, whole = np.full(50, 0.1), np.full(50, 0.9), np.ones(50, dtype=bool)
    assert histogram_entropy_difference(dark, bright, whole) == pytest.approx(0, abs=1e-12)
    assert histogram_kl(dark, bright, whole) > 0.5
    assert wasserstein_1(dark, bright, whole) == pytest.approx(0.8)


def test_kl_has_a_direction() -> None:
    rng = np.random.default_rng(0)
    narrow, wide, whole = np.full(300, 0.5), rng.random(300), np.ones(300, dtype=bool)
    assert histogram_kl(narrow, wide, whole) != pytest.approx(histogram_kl(wide, narrow, whole), rel=0.1)
    assert histogram_js(narrow, wide, whole) == pytest.approx(histogram_js(wide, narrow, whole))


def test_intensities_beyond_the_range_fall_into_bins_of_their_own() -> None:
    whole = np.ones(4, dtype=bool)
    inside, beyond, below = np.full(4, 1.0), np.full(4, 1.5), np.full(4, -0.5)
    values = {histogram_kl(inside, other, whole) for other in (beyond, below)}
    assert len(values) == 1
    assert values.pop() > 0
    assert histogram_js(beyond, below, whole) > 0
    assert histogram_js(beyond, beyond, whole) == 0
    assert histogram_js(inside, beyond, whole) <= 1 / log2(np.e)


def test_twins_as_published_are_over_the_box_and_leave_out_what_is_ignored() -> None:
    rng = np.random.default_rng(0)
    image, made = rng.random((2, 8, 8, 4))
    brain, lesion, box = rng.random((3, 8, 8, 4)) < np.array([0.5, 0.2, 0.9])[:, None, None, None]
    box |= lesion
    case = Reconstruction(image, made, brain & box, box, lesion, (2.0, 2.0, 2.0), image, frozenset({"all", "labelled"}))
    found = compute([METRICS[name] for name in AS_PUBLISHED], case, case.kinds)
    error = np.abs(image - made)
    assert found["l1_box"] == pytest.approx(error[box].mean())
    assert found["l1_ratio_box"] == pytest.approx(error[lesion].mean() / error[box & ~lesion].mean())
    assert found["psnr_box"] == pytest.approx(-10 * log10((error[box] ** 2).mean()))
    assert found["ssim_box"] == pytest.approx(ssim(image, made, box))
    image[~box] = 7
    assert compute([METRICS["l1_box"], METRICS["psnr_box"]], case, case.kinds) == {
        name: found[name] for name in ("l1_box", "psnr_box")
    }

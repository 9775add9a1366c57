"""How close a reconstruction is to its image."""

from collections.abc import Sequence
from math import log10

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.masks import Mask, Scores, far_from_lesion

SMALLEST_ERROR = 1 / 65535  # of an image in [0, 1]; a kept reconstruction is rounded by less


def l1(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Mean |image - reconstruction| over the voxels of `mask`, at least 0.

    Args:
        image, reconstruction, mask: equal shapes, any.

    Returns:
        NaN for an empty mask.

    Examples:
        >>> l1(np.array([1.0, 0.5, 0.0]), np.array([0.5, 0.5, 1.0]), np.array([True, True, False]))
        0.25
    """
    if not mask.any():
        return np.nan
    return float(np.abs(image[mask].astype(np.float64) - reconstruction[mask]).mean())


def l1_ratio(image: Scores, reconstruction: Scores, lesion: Mask, brain: Mask, spacing: Sequence[float]) -> float:
    """l1 over the brain's lesion / l1 over the brain more than 10 mm from it; above 1 for a useful residual.

    Args:
        image, reconstruction, lesion, brain: `(X, Y, Z)`.
        spacing: voxel edges in mm.

    Returns:
        NaN without lesion, without healthy rest, and where the rest is reconstructed without any error.

    Examples:
        >>> image, lesion = np.full((9, 1, 1), 0.25), np.arange(9).reshape(9, 1, 1) == 0
        >>> image[0] = 1.0
        >>> l1_ratio(image, np.zeros_like(image), lesion, np.ones_like(lesion), (2.0, 2.0, 2.0))
        4.0
    """
    rest = l1(image, reconstruction, far_from_lesion(lesion, brain, spacing))
    return l1(image, reconstruction, lesion & brain) / rest if rest else np.nan


def psnr(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE) over the voxels of `mask`, for images in [0, 1].

    Errors below 1 / 65535 count as that: at most 96.3 dB, so that a flawless case is neither infinite nor
    dropped from a mean.

    Args:
        image, reconstruction, mask: equal shapes, any.

    Returns:
        NaN for an empty mask.

    Examples:
        >>> psnr(np.array([1.0, 0.5]), np.array([0.5, 1.0]), np.array([True, True])).__round__(3)
        6.021
    """
    if not mask.any():
        return np.nan
    error = float(np.mean(np.square(image[mask].astype(np.float64) - reconstruction[mask])))
    return -10 * log10(max(error, SMALLEST_ERROR**2))


def ssim(image: Scores, reconstruction: Scores, brain: Mask) -> float:
    """Mean structural similarity of axial slices, in [-1, 1], for images in [0, 1].

    Each voxel's similarity is from an 11 x 11 Gaussian window (s.d. 1.5 voxels) of its axial slice, mirrored at
    the box's edge; the mean is over the brain's voxels, since the background is always alike.
    References: Wang et al. 2004, doi:10.1109/TIP.2003.819861, equation 13, K1 = 0.01, K2 = 0.03.

    Args:
        image, reconstruction, brain: `(X, Y, Z)`; z is the axial axis.

    Returns:
        NaN for an empty brain.

    Examples:
        >>> image = np.linspace(0, 1, 144).reshape(12, 12, 1)
        >>> ssim(image, image, image > 0)
        1.0
    """
    if not brain.any():
        return np.nan
    return float(structural_similarity(image, reconstruction, SSIM_WIDTH)[brain].mean())


SSIM_WIDTH = 1.5  # voxels, s.d. of the published window
SSIM_RADIUS = 5  # voxels: the window is 11 x 11


def structural_similarity(image: Scores, reconstruction: Scores, width: float) -> NDArray[np.float64]:
    """Each voxel's similarity `(X, Y, Z)`, in [-1, 1]: equation 13 of Wang et al. 2004; see `ssim`.

    Args:
        width: of the Gaussian window, s.d. in voxels.
    """

    def mean(volume: NDArray[np.float64]) -> NDArray[np.float64]:
        radius = (SSIM_RADIUS, SSIM_RADIUS, 0)
        return np.asarray(ndimage.gaussian_filter(volume, (width, width, 0), radius=radius))

    x, y = image.astype(np.float64), reconstruction.astype(np.float64)
    mean_x, mean_y = mean(x), mean(y)
    variance_x, variance_y = mean(x * x) - mean_x**2, mean(y * y) - mean_y**2
    covariance = mean(x * y) - mean_x * mean_y
    first, second = 0.01**2, 0.03**2
    alike = (2 * mean_x * mean_y + first) * (2 * covariance + second)
    alike /= (mean_x**2 + mean_y**2 + first) * (variance_x + variance_y + second)
    return np.asarray(alike)


BINS = 500  # of equal width over [0, 1], as published; one more on either side takes what lies beyond
PSEUDO_COUNT = 0.5  # added to each bin, so that no empty one makes a logarithm infinite


def wasserstein_1(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Mean |difference| of the sorted intensities over `mask`: the Wasserstein-1 distance, without bins, at least 0.

    Returns:
        NaN for an empty mask.

    Examples:
        >>> wasserstein_1(np.array([0.0, 1.0]), np.array([1.0, 0.5]), np.array([True, True]))
        0.25
    """
    if not mask.any():
        return np.nan
    ours, theirs = (np.sort(volume[mask].astype(np.float64)) for volume in (image, reconstruction))
    return float(np.abs(ours - theirs).mean())


def histogram_kl(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """KL(image || reconstruction) = sum of p log(p / q) in nats, at least 0; p of the image, q of the reconstruction.

    Returns:
        NaN for an empty mask.

    Examples:
        >>> histogram_kl(np.array([0.5]), np.array([0.5]), np.array([True]))
        0.0
    """
    p, q = _densities(image, reconstruction, mask)
    return float(np.sum(p * np.log(p / q)))


def histogram_js(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Jensen-Shannon divergence in nats: mean KL of both histograms to their mean, in [0, log 2].

    Returns:
        NaN for an empty mask.

    Examples:
        >>> histogram_js(np.array([0.5]), np.array([0.5]), np.array([True]))
        0.0
    """
    p, q = _densities(image, reconstruction, mask)
    middle = (p + q) / 2
    return float(np.sum(p * np.log(p / middle) + q * np.log(q / middle)) / 2)


def histogram_entropy_difference(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Sum of p log p - q log q in nats: what the reference study prints as its divergence, of either sign.

    It is a difference of entropies and no divergence: 0 for any two histograms of which one is the other's
    permutation. References: arXiv 2312.04215, the domain-shift figure.

    Returns:
        NaN for an empty mask.

    Examples:
        >>> histogram_entropy_difference(np.array([0.1]), np.array([0.9]), np.array([True]))
        0.0
    """
    p, q = _densities(image, reconstruction, mask)
    return float(np.sum(p * np.log(p)) - np.sum(q * np.log(q)))


def _densities(image: Scores, reconstruction: Scores, mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Histograms `(BINS + 2,)` that sum to 1; NaN for an empty mask."""
    return density(image[mask]), density(reconstruction[mask])


def density(intensities: Scores) -> NDArray[np.float64]:
    """Histogram `(BINS + 2,)` that sums to 1, of `(V,)` intensities; NaN without any.

    The first and last bin take what lies below 0 and above 1.
    """
    if not intensities.size:
        return np.full(BINS + 2, np.nan)
    bins = np.clip(np.floor(intensities.astype(np.float64) * BINS), -1, BINS).astype(np.intp)
    bins[intensities == 1] = BINS - 1  # the last bin is closed above
    counts = np.bincount(bins + 1, minlength=BINS + 2) + PSEUDO_COUNT
    return np.asarray(counts / counts.sum())

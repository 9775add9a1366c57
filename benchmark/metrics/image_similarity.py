"""How close a reconstruction is to its image."""

from collections.abc import Sequence
from math import log10

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.false_positives import far_from_lesion
from benchmark.metrics.masks import Mask, Scores

SMALLEST_ERROR = 1 / 65535  # one step of the 16 bits that a reconstruction is kept in


def l1(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Mean |image - reconstruction| over the voxels of `mask`, at least 0.

    Args:
        image, reconstruction, mask: equal shapes, any.

    Returns:
        NaN for an empty mask.

    Example:
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

    Example:
        >>> image, lesion = np.full((9, 1, 1), 0.25), np.arange(9).reshape(9, 1, 1) == 0
        >>> image[0] = 1.0
        >>> l1_ratio(image, np.zeros_like(image), lesion, np.ones_like(lesion), (2.0, 2.0, 2.0))
        4.0
    """
    rest = l1(image, reconstruction, far_from_lesion(lesion, brain, spacing))
    return l1(image, reconstruction, lesion & brain) / rest if rest else np.nan


def psnr(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Peak signal-to-noise ratio in dB, 10 log10(1 / MSE) over the voxels of `mask`, for images in [0, 1].

    Errors below what 16 bits hold count as that: at most 96.3 dB, so that a flawless case is neither infinite nor
    dropped from a mean.

    Args:
        image, reconstruction, mask: equal shapes, any.

    Returns:
        NaN for an empty mask.

    Example:
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
    """
    if not brain.any():
        return np.nan
    x, y = image.astype(np.float64), reconstruction.astype(np.float64)
    mean_x, mean_y = _window(x), _window(y)
    variance_x, variance_y = _window(x * x) - mean_x**2, _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    first, second = 0.01**2, 0.03**2
    alike = (2 * mean_x * mean_y + first) * (2 * covariance + second)
    alike /= (mean_x**2 + mean_y**2 + first) * (variance_x + variance_y + second)
    return float(alike[brain].mean())


def _window(volume: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian mean over each voxel's axial neighbours."""
    return np.asarray(ndimage.gaussian_filter(volume, (1.5, 1.5, 0), radius=(5, 5, 0)))

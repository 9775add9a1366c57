"""How far the intensities of a reconstruction are from those of its image, wherever they lie.

All are over the same voxels of both, one case at a time. They ignore place: a reconstruction with the right
histogram may be wrong everywhere.
"""

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Mask, Scores

BINS = 500  # of equal width over [0, 1], as published; one more on either side takes what lies beyond
PSEUDO_COUNT = 0.5  # added to each bin, so that no empty one makes a logarithm infinite


def wasserstein_1(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Mean |difference| of the sorted intensities over `mask`: the Wasserstein-1 distance, without bins, at least 0.

    Returns:
        NaN for an empty mask.

    Example:
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

    Example:
        >>> histogram_kl(np.array([0.5]), np.array([0.5]), np.array([True]))
        0.0
    """
    p, q = _densities(image, reconstruction, mask)
    return float(np.sum(p * np.log(p / q)))


def histogram_js(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Jensen-Shannon divergence in nats: mean KL of both histograms to their mean, in [0, log 2].

    Returns:
        NaN for an empty mask.

    Example:
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

    Example:
        >>> histogram_entropy_difference(np.array([0.1]), np.array([0.9]), np.array([True]))
        0.0
    """
    p, q = _densities(image, reconstruction, mask)
    return float(np.sum(p * np.log(p)) - np.sum(q * np.log(q)))


def _densities(image: Scores, reconstruction: Scores, mask: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Histograms `(BINS + 2,)` that sum to 1; NaN for an empty mask."""
    return _density(image[mask]), _density(reconstruction[mask])


def _density(intensities: Scores) -> NDArray[np.float64]:
    if not intensities.size:
        return np.full(BINS + 2, np.nan)
    bins = np.clip(np.floor(intensities.astype(np.float64) * BINS), -1, BINS).astype(np.intp)
    bins[intensities == 1] = BINS - 1  # the last bin is closed above
    counts = np.bincount(bins + 1, minlength=BINS + 2) + PSEUDO_COUNT
    return np.asarray(counts / counts.sum())

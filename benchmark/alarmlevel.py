"""alarm_level: the highest threshold at which a scan still raises an alarm after a whole chain."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.postprocessing import TOUCHING, Chain

Map = NDArray[np.floating]


def alarm_level(smoothed: Map, brain_mask: NDArray[np.bool_], chain: Chain, voxel_ml: float) -> float:
    """Exact: the scan raises an alarm at a threshold if and only if this level exceeds it.

    A chain keeps components of at least so many voxels, and a component only grows as the threshold falls, so that the
    level is a score of the map and is found by bisection over the sorted scores.

    Args:
        smoothed: `(X, Y, Z)`, after the chain's filters.

    Returns:
        0 where no threshold of 0 or more raises an alarm.
    """
    smallest = chain.smallest(voxel_ml)
    scores = np.unique(smoothed[brain_mask])
    scores = scores[scores > 0]
    inside = np.where(brain_mask, smoothed, 0)
    # Of the scores, all up to some place leave a component that is large enough; `low` is in, `high` is out.
    low, high = -1, scores.size
    while high - low > 1:
        middle = (low + high) // 2
        if _largest(inside >= scores[middle], smallest) >= smallest:
            low = middle
        else:
            high = middle
    return float(scores[low]) if low >= 0 else 0.0


def _largest(mask: NDArray[np.bool_], enough: int) -> int:
    """Voxels of the largest component; 0 at once where there are not enough in all."""
    if np.count_nonzero(mask) < enough:
        return 0
    labels, count = ndimage.label(mask, structure=TOUCHING)
    return int(np.bincount(labels.ravel())[1:].max()) if count else 0

"""Area opening: the removal of small components, for all thresholds at once.

A voxel survives a threshold t and the removal of components under k voxels if and only if its *opened* score is
above t. So after one opening every threshold is a comparison, and the best one through the whole chain can be
searched exactly. References: Vincent 1993, grayscale area openings and closings.
"""

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.components import steps
from benchmark.metrics.masks import Mask, bounding_box

Map = NDArray[np.float32]
CHUNK = 2048  # seeds at once, so that what they meet stays in the processor's cache


def area_opening(scores: Map, smallest: int) -> Map:
    """The highest score at which each voxel is in a 26-connected component of at least `smallest` voxels.

    Args:
        scores: `(X, Y, Z)`, at least 0; float32, as maps are.

    Returns:
        `(X, Y, Z)` float32, nowhere above `scores`; 0 where there is no such component of positive scores.

    Example:
        >>> area_opening(np.array([[[0.75, 0.5, 0.0, 0.75]]]), 2).ravel().tolist()
        [0.5, 0.5, 0.0, 0.0]
    """
    if smallest <= 1:
        return scores.copy()
    opened, box = np.zeros(scores.shape, dtype=np.float32), bounding_box(scores > 0)
    if not scores[box].size:
        return opened
    opened[box] = _opened(scores[box].astype(np.float32, copy=False), smallest)
    return opened


def alarm_level(scores: Map, brain_mask: Mask, smallest: int) -> float:
    """A scan raises an alarm of at least `smallest` voxels at a threshold if and only if this level exceeds it.

    Args:
        scores, brain_mask: `(X, Y, Z)`; what lies outside the brain raises no alarm.

    Returns:
        0 where no threshold of 0 or more raises an alarm.
    """
    return float(area_opening(np.where(brain_mask, scores, 0), smallest).max(initial=0))


def _opened(scores: Map, smallest: int) -> Map:
    padded = np.pad(scores, 1)
    around, flat = steps(padded.shape), padded.ravel()
    lonely = _lonely(flat, around, smallest)
    ordered = (flat.view(np.int32).astype(np.int64) << 32) | np.arange(flat.size)  # by score, then by place
    opened = flat.copy()
    for start in range(0, lonely.size, CHUNK):
        voxels = lonely[start : start + CHUNK]
        opened[voxels] = _flooded(ordered, voxels, around, smallest)
    return opened.reshape(padded.shape)[1:-1, 1:-1, 1:-1]


def _lonely(flat: Map, around: NDArray[np.intp], smallest: int) -> NDArray[np.intp]:
    """Positive voxels that no neighbour as high as they are makes sure of a component."""
    count, far = np.zeros(flat.size, dtype=np.uint8), int(around.max())
    middle = slice(far, flat.size - far)
    for step in around.tolist():
        higher = flat[far + step : flat.size - far + step] >= flat[middle]
        count[middle] += higher.view(np.uint8)
    sure = (count >= smallest - 1) & (flat > 0)
    left = np.flatnonzero((count < smallest - 1) & (flat > 0))
    neighbours = left[:, None] + around
    joined = (sure[neighbours] & (flat[neighbours] >= flat[left][:, None])).any(axis=1)
    return left[~joined]


def _flooded(
    ordered: NDArray[np.int64], seeds: NDArray[np.intp], around: NDArray[np.intp], smallest: int
) -> NDArray[np.float32]:
    """The lowest of the first `smallest` voxels met from each seed, where the highest neighbour comes next.

    Such a flood leaves the component of a threshold only when it has met all of it.
    """
    met = [ordered[seeds]]
    shore = np.empty(((smallest - 1) * around.size, seeds.size), dtype=np.int64)
    for count in range(1, smallest):
        begin, end = (count - 1) * around.size, count * around.size
        places = met[-1] & 0xFFFFFFFF
        new = shore[begin:end]
        ordered.take(around[:, None] + places, out=new, mode="clip")  # beyond the padding only from a score of 0
        for known in met[:-1]:
            new *= new != known
        highest = shore[:end].max(axis=0)
        shore[:end] *= shore[:end] != highest
        met.append(highest)
    return (np.min(met, axis=0) >> 32).astype(np.int32).view(np.float32)

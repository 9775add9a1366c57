"""Area opening: the removal of small components, for all thresholds at once.

A voxel survives a threshold t and the removal of components under k voxels if and only if its *opened* score is
above t. So after one opening every threshold is a comparison, and the best one through the whole pipeline can be
searched exactly. References: Vincent 1993, grayscale area openings and closings.
"""

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import steps
from datasets.sampling import bounding_box

Map = NDArray[np.float32]
PLACE = 0xFFFFFFFF  # the part of an ordered voxel that says where it lies


def area_opening(scores: Map, smallest: int) -> Map:
    """The highest score at which each voxel is in a 26-connected component of at least `smallest` voxels.

    Args:
        scores: `(X, Y, Z)`, at least 0; float32, as maps are.

    Returns:
        `(X, Y, Z)` float32, nowhere above `scores`; 0 where there is no such component of positive scores.

    Examples:
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


def _opened(scores: Map, smallest: int) -> Map:
    """A voxel and its highest neighbour are in one component at every threshold below the voxel.

    So the opened score is the voxel's own or that of the summit that it leads up to, whichever is lower, and only
    from summits has anything to be flooded.
    """
    from benchmark.metrics.compiled import flooded, followed

    padded = np.pad(scores, 1)
    flat = padded.ravel()
    ordered = (flat.view(np.int32).astype(np.int64) << 32) | np.arange(flat.size)  # by score, then by place
    voxels = np.flatnonzero(flat > 0)
    uphill = _highest_near(ordered, padded.shape)[voxels] & PLACE
    number = np.empty(flat.size, dtype=np.int32)
    number[voxels] = np.arange(voxels.size)
    levels = np.zeros(voxels.size, dtype=np.float32)
    is_summit = uphill == voxels
    levels[is_summit] = flooded(flat, voxels[is_summit], steps(padded.shape), smallest)
    opened = np.zeros_like(flat)
    opened[voxels] = np.minimum(flat[voxels], levels[followed(number[uphill])])
    return opened.reshape(padded.shape)[1:-1, 1:-1, 1:-1]


def _highest_near(ordered: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The highest of each voxel and its 26 neighbours in a flattened box; wrong on its faces."""
    highest = ordered
    for step in (1, shape[2], shape[1] * shape[2]):
        near = highest.copy()
        np.maximum(near[:-step], highest[step:], out=near[:-step])
        np.maximum(near[step:], highest[:-step], out=near[step:])
        highest = near
    return highest

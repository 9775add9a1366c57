"""How far the surface of a prediction is from that of the lesion, in mm.

A mask's surface is made of its voxels that have a face outside it; beyond the box is outside. Distances are
between the centres of voxels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.masks import Mask, check_masks
from datasets.sampling import bounding_box

Points = NDArray[np.float64]
FACES = ndimage.generate_binary_structure(3, 1)


def surface_distances(prediction: Mask, lesion: Mask, spacing: Sequence[float]) -> tuple[Points, Points]:
    """From each surface voxel of the prediction to the lesion's surface `(P,)`, and the other way round `(L,)`.

    Args:
        prediction, lesion: `(X, Y, Z)`, neither empty.
        spacing: voxel edges in mm.
    """
    from scipy.spatial import KDTree

    check_masks(prediction, lesion)
    ours, theirs = (surface(mask) * np.asarray(spacing) for mask in (prediction, lesion))
    return KDTree(theirs).query(ours)[0], KDTree(ours).query(theirs)[0]


def hd95(prediction: Mask, lesion: Mask, brain: Mask, spacing: Sequence[float]) -> float:
    """95 % Hausdorff distance in mm: the larger of the two directions' 95th percentiles, interpolated linearly.

    Args:
        prediction, lesion, brain: `(X, Y, Z)`; lesion outside the grid's box has no place and does not count.
        spacing: voxel edges in mm.

    Returns:
        NaN without a lesion voxel; the brain's diameter, the worst there is, for an empty prediction of a lesion,
        so that finding nothing is never better than finding something wrong.

    Example:
        >>> lesion = np.arange(9).reshape(9, 1, 1) == 0
        >>> hd95(np.roll(lesion, 3), lesion, np.ones_like(lesion), (2.0, 2.0, 2.0))
        6.0
    """
    if not lesion.any():
        return np.nan
    if not prediction.any():
        return diameter(brain | lesion, spacing)
    return hd95_of(*surface_distances(prediction, lesion, spacing))


def hd95_of(ours: Points, theirs: Points) -> float:
    """`hd95` of the distances of both directions."""
    return float(max(np.percentile(ours, 95), np.percentile(theirs, 95)))


def surface_dice(prediction: Mask, lesion: Mask, spacing: Sequence[float]) -> float:
    """Part of both surfaces that lies within one voxel's longest edge of the other, in [0, 1].

    Known as normalised surface Dice, NSD, here counted in surface voxels. References: Nikolov et al. 2018,
    arXiv 1809.04430.

    Args:
        prediction, lesion: `(X, Y, Z)`.
        spacing: voxel edges in mm.

    Returns:
        0 for an empty prediction of a lesion; NaN without a lesion voxel.

    Example:
        >>> lesion = np.arange(9).reshape(9, 1, 1) == 0
        >>> surface_dice(np.roll(lesion, 1), lesion, (2.0, 2.0, 2.0))
        1.0
    """
    if not lesion.any():
        return np.nan
    if not prediction.any():
        return 0.0
    return surface_dice_of(*surface_distances(prediction, lesion, spacing), tolerance=max(spacing))


def surface_dice_of(ours: Points, theirs: Points, *, tolerance: float) -> float:
    """`surface_dice` of the distances of both directions; `tolerance` in mm."""
    rounding = 1e-6  # of a spacing that was read from an affine
    within = [np.count_nonzero(part <= tolerance * (1 + rounding)) for part in (ours, theirs)]
    return float(sum(within) / (ours.size + theirs.size))


def surface(mask: Mask) -> NDArray[np.intp]:
    """`(S, 3)` indices of the voxels with a face outside the mask `(X, Y, Z)`."""
    if not mask.any():
        return np.zeros((0, 3), dtype=np.intp)
    box = bounding_box(mask)
    part = mask[box]
    inner = ndimage.binary_erosion(part, FACES)
    return np.argwhere(part & ~inner) + np.array([edge.start for edge in box])


def diameter(mask: Mask, spacing: Sequence[float]) -> float:
    """Largest distance in mm between the centres of two voxels of a mask `(X, Y, Z)`; 0 for fewer than two."""
    from scipy.spatial.distance import pdist

    ends = mask.copy()  # the two farthest voxels are the first or last of their line, along every axis
    for axis in range(3):
        ends &= _ends(mask, axis)
    points = np.argwhere(ends) * np.asarray(spacing)
    return float(pdist(points).max()) if len(points) > 1 else 0.0


def _ends(mask: Mask, axis: int) -> Mask:
    """The first and the last voxel of every line along an axis."""
    before = np.cumsum(mask, axis=axis, dtype=np.int32)
    return np.asarray(mask & ((before == 1) | (before == before.max(axis=axis, keepdims=True))))

"""How far the surface of a prediction is from that of the lesion, in mm.

A mask's surface is made of its voxels that have a face outside it; beyond the box is outside. Distances are
between the centres of voxels.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Mask, check_masks, padded_shape, places_of

Points = NDArray[np.float64]
Places = NDArray[np.intp]


class LesionSurface:
    """A lesion's surface, from which predictions are measured one after the other.

    Predictions at neighbouring thresholds share most of their surface: what a voxel is from the lesion is looked up
    where it was asked before.
    """

    def __init__(self, lesion: Mask, spacing: Sequence[float]) -> None:
        """`(X, Y, Z)`, not empty, and voxel edges in mm."""
        from scipy.spatial import KDTree

        self.shape, self.spacing = padded_shape(lesion), np.asarray(spacing)
        self.points = self._points(_surface(places_of(lesion), self.shape))
        self.tree = KDTree(self.points)
        self.known = np.full(int(np.prod(self.shape)), np.nan)

    def distances(self, places: Places) -> tuple[Points, Points]:
        """From each surface voxel of a prediction to the lesion's surface `(P,)`, and the other way round `(L,)`.

        Args:
            places: `(n,)` of the predicted voxels, see `places_of`; at least one.
        """
        from scipy.spatial import KDTree

        ours = _surface(places, self.shape)
        points, asked = self._points(ours), np.isnan(self.known[ours])
        self.known[ours[asked]] = self.tree.query(points[asked])[0]
        tree = KDTree(points, balanced_tree=False, compact_nodes=False)  # built in less time than it is asked in
        return self.known[ours], tree.query(self.points)[0]

    def _points(self, places: Places) -> Points:
        """`(n, 3)` in mm."""
        return _voxels(places, self.shape) * self.spacing


def surface_distances(prediction: Mask, lesion: Mask, spacing: Sequence[float]) -> tuple[Points, Points]:
    """From each surface voxel of the prediction to the lesion's surface `(P,)`, and the other way round `(L,)`.

    Args:
        prediction, lesion: `(X, Y, Z)`, neither empty.
        spacing: voxel edges in mm.
    """
    check_masks(prediction, lesion)
    return LesionSurface(lesion, spacing).distances(places_of(prediction))


def hd95(prediction: Mask, lesion: Mask, brain: Mask, spacing: Sequence[float]) -> float:
    """95 % Hausdorff distance in mm: the larger of the two directions' 95th percentiles, interpolated linearly.

    Args:
        prediction, lesion, brain: `(X, Y, Z)`; lesion outside the grid's box has no place and does not count.
        spacing: voxel edges in mm.

    Returns:
        NaN without a lesion voxel; the brain's diameter, the worst there is, for an empty prediction of a lesion,
        so that finding nothing is never better than finding something wrong.

    Examples:
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

    Examples:
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
    shape = padded_shape(mask)
    return _voxels(_surface(places_of(mask), shape), shape)


def diameter(mask: Mask, spacing: Sequence[float]) -> float:
    """Largest distance in mm between the centres of two voxels of a mask `(X, Y, Z)`; 0 for fewer than two."""
    from scipy.spatial.distance import pdist

    from benchmark.metrics.compiled import farthest_pair

    ends = mask.copy()  # the two farthest voxels are the first or last of their line, along every axis
    for axis in range(3):
        ends &= _ends(mask, axis)
    points = np.argwhere(ends) * np.asarray(spacing)
    if len(points) < 2:
        return 0.0
    reach = np.linalg.norm(points - points.mean(axis=0), axis=1)
    falling = np.argsort(-reach)
    return float(pdist(points[falling[list(farthest_pair(points[falling], reach[falling]))]])[0])


def _voxels(places: Places, shape: tuple[int, ...]) -> NDArray[np.intp]:
    """`(n, 3)` indices of voxels by their places in a flattened box with a margin."""
    return np.stack(np.unravel_index(places, shape), axis=1) - 1


def _surface(places: Places, shape: tuple[int, ...]) -> Places:
    """Those of some voxels, by their places in a flattened box with a margin, that have a face outside them."""
    within = np.zeros(int(np.prod(shape)), dtype=bool)
    within[places] = True
    inner = np.ones(places.size, dtype=bool)
    for stride in (shape[1] * shape[2], shape[2], 1):
        inner &= within[places - stride] & within[places + stride]
    return places[~inner]


def _ends(mask: Mask, axis: int) -> Mask:
    """The first and the last voxel of every line along an axis."""
    before = np.cumsum(mask, axis=axis, dtype=np.int32)
    return np.asarray(mask & ((before == 1) | (before == before.max(axis=axis, keepdims=True))))

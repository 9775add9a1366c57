"""Masks and scores: the arrays that metrics are of, and masks' boxes, distances and 26-connected components."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Scores = NDArray[np.floating]

TOUCHING = np.ones((3, 3, 3), dtype=bool)


def check_masks(prediction: NDArray[np.generic], lesion: Mask) -> None:
    """Raises ValueError where shapes differ, rather than broadcast, or where a mask is not bool."""
    if prediction.shape != lesion.shape:
        raise ValueError(f"Got shape {prediction.shape}, expected {lesion.shape} as of the lesion mask.")
    if lesion.dtype != np.bool_:
        raise ValueError(f"Got a lesion mask of {lesion.dtype}, expected bool.")


def above(scores: Scores, threshold: float) -> Mask:
    """The prediction `score > threshold`, of the scores' shape; a score of 0 is never predicted.

    Raises:
        ValueError: the threshold is negative or NaN.
    """
    if not threshold >= 0:
        raise ValueError(f"Got threshold {threshold}, expected 0 or more.")
    with np.errstate(over="ignore"):
        rounded = scores.dtype.type(threshold)
    if float(rounded) > threshold:  # rounded up it would lie on scores that are above the threshold itself
        rounded = np.nextafter(rounded, scores.dtype.type(0))
    return np.asarray(scores > rounded)


def voxel_ml(spacing: Sequence[float]) -> float:
    """The volume in ml of a voxel of these edges in mm."""
    return float(np.prod(spacing)) / 1000


def far_from_lesion(lesion: Mask, brain: Mask, spacing: Sequence[float], *, collar_mm: float = 10.0) -> Mask:
    """The brain more than `collar_mm` from the nearest lesion voxel, centre to centre.

    Args:
        lesion, brain: `(X, Y, Z)`.
        spacing: voxel edges in mm.

    Returns:
        `(X, Y, Z)`; the whole brain without lesion.

    Examples:
        >>> lesion = np.arange(9).reshape(9, 1, 1) == 0
        >>> far_from_lesion(lesion, np.ones_like(lesion), (2.0, 2.0, 2.0)).ravel().nonzero()[0].tolist()
        [6, 7, 8]
    """
    if not lesion.any():
        return brain.copy()
    margin = [ceil(collar_mm / edge) for edge in spacing]
    around = tuple(
        slice(max(0, where.min() - wide), where.max() + wide + 1)
        for where, wide in zip(np.nonzero(lesion), margin, strict=True)
    )
    far = brain.copy()  # beyond this part of the box every voxel is
    far[around] &= ndimage.distance_transform_edt(~lesion[around], sampling=spacing) > collar_mm
    return far


@dataclass(frozen=True)
class Components:
    """The voxels of a mask and the component that each belongs to.

    Attributes:
        labels: `(n,)` from 0 to `count - 1`, in the order of the voxels.
    """

    labels: NDArray[np.integer]
    count: int

    @property
    def sizes(self) -> NDArray[np.intp]:
        """`(count,)` voxels of each component."""
        return np.bincount(self.labels, minlength=self.count)


def components(mask: Mask) -> Components:
    """The components of a mask `(X, Y, Z)` of bool; voxels that share a corner touch.

    Examples:
        >>> components(np.eye(3, dtype=bool)[None]).count
        1
    """
    return connected(places_of(mask), padded_shape(mask))


def padded_shape(volume: NDArray[Any]) -> tuple[int, ...]:
    """One voxel more on every side, so that no step leads round the box to its other side."""
    return tuple(size + 2 for size in volume.shape)


def places_of(mask: Mask) -> NDArray[np.intp]:
    """`(n,)` where a mask's voxels lie in the flattened box of `padded_shape`."""
    return np.flatnonzero(np.pad(mask, 1))


def steps(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """`(26,)` how far the neighbours of a voxel are from it in a flattened box of this shape."""
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    around = [step for step in product((-1, 0, 1), repeat=3) if any(step)]
    return np.asarray(np.array(around) @ strides)


def connected(places: NDArray[np.intp], shape: tuple[int, ...]) -> Components:
    """The components of voxels by their places `(n,)`, ascending, in a flattened box with a margin of one voxel."""
    from benchmark.metrics.compiled import labelled, linked

    before, number = steps(shape)[:13], np.zeros(np.prod(shape), dtype=np.int32)
    ahead = before[2:12:3].copy()  # on the four lines before, one voxel further along
    return Components(*labelled(linked(places, number, before, ahead)))


def nested_components(
    places: NDArray[np.intp], depths: NDArray[np.intp], shape: tuple[int, ...], count: int
) -> Iterator[Components]:
    """The components of growing sets of voxels: for each step from 0 to `count` - 1, of those that lie no deeper.

    Every pair of neighbours is looked at once for all steps.

    Args:
        places: `(n,)` in a flattened box with a margin of one voxel.
        depths: `(n,)` at least 0, ascending.
    """
    from benchmark.metrics.compiled import grow, labelled

    number, parents = np.zeros(np.prod(shape), dtype=np.int32), np.empty(places.size, dtype=np.int32)
    around, begin = steps(shape), 0
    for end in np.searchsorted(depths, np.arange(count), side="right").tolist():
        grow(parents, number, places[begin:end], begin, around)
        yield Components(*labelled(parents[:end]))
        begin = end

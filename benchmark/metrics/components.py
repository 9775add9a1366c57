"""26-connected components of a mask, listed by its voxels."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics.masks import Mask

TOUCHING = np.ones((3, 3, 3), dtype=bool)
SPARSE = 0.03  # part of a box below which a graph of the voxels is faster than a sweep over the box


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

    Example:
        >>> components(np.eye(3, dtype=bool)[None]).count
        1
    """
    if np.count_nonzero(mask) > SPARSE * mask.size:
        labels, count = ndimage.label(mask, structure=TOUCHING)
        return Components(labels[mask] - 1, int(count))
    return connected(places_of(mask), padded_shape(mask))


def padded_shape(volume: NDArray[Any]) -> tuple[int, ...]:
    """One voxel more on every side, so that no step leads round the box to its other side."""
    return tuple(size + 2 for size in volume.shape)


def places_of(mask: Mask) -> NDArray[np.intp]:
    """`(n,)` where a mask's voxels lie in the flattened box of `padded_shape`."""
    x, y, z = np.unravel_index(np.flatnonzero(mask), mask.shape)
    return np.ravel_multi_index((x + 1, y + 1, z + 1), padded_shape(mask))


def steps(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """`(26,)` how far the neighbours of a voxel are from it in a flattened box of this shape."""
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    around = [step for step in product((-1, 0, 1), repeat=3) if any(step)]
    return np.asarray(np.array(around) @ strides)


def connected(places: NDArray[np.intp], shape: tuple[int, ...]) -> Components:
    """The components of voxels by their places `(n,)`, ascending, in a flattened box with a margin of one voxel."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    if not places.size:
        return Components(np.zeros(0, dtype=np.int32), 0)
    touching, ends = _touching(places, shape)
    graph = csr_array((np.ones(touching.size, dtype=bool), touching, ends), shape=(places.size, places.size))
    count, labels = connected_components(graph, directed=False)
    return Components(labels, int(count))


def _touching(places: NDArray[np.intp], shape: tuple[int, ...]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """The voxels that each voxel touches, every pair once, and where each voxel's own end `(n + 1,)`."""
    number = np.zeros(np.prod(shape), dtype=np.int32)
    number[places] = np.arange(1, places.size + 1)
    reached = number[places[:, None] + steps(shape)[None, 13:]]  # (n, 13)
    touches = reached > 0
    return reached[touches] - 1, np.append(0, np.cumsum(np.count_nonzero(touches, axis=1)))


def nested_components(
    places: NDArray[np.intp], depths: NDArray[np.intp], shape: tuple[int, ...], count: int
) -> Iterator[Components]:
    """The components of growing sets of voxels: for each step from 0 to `count` - 1, of those that lie no deeper.

    Every pair of neighbours is looked at once for all steps. A result holds until the next is asked for.

    Args:
        places: `(n,)` in a flattened box with a margin of one voxel.
        depths: `(n,)` at least 0, ascending.
    """
    ours, theirs, pair_ends = _pairs_by_depth(places, depths, shape, count)
    labels, found, voxels, pairs = np.zeros(places.size, dtype=np.int32), 0, 0, 0
    for end, pair_end in zip(np.searchsorted(depths, np.arange(count), side="right"), pair_ends, strict=True):
        labels[voxels:end] = found + np.arange(end - voxels)
        found += int(end) - voxels
        if pair_end > pairs:
            joined, found = _joined(labels[ours[pairs:pair_end]], labels[theirs[pairs:pair_end]], found)
            labels[:end] = joined[labels[:end]]
        voxels, pairs = int(end), int(pair_end)
        yield Components(labels[:end], int(found))


def _joined(ours: NDArray[np.int32], theirs: NDArray[np.int32], count: int) -> tuple[NDArray[np.int32], int]:
    """`(count,)` the new number of each component after some pairs `(n,)` of them were joined, and how many are left.

    Each is hung below the lowest that it touches, until none touches another: for the few pairs of a step that is
    faster than the preparations of SciPy's graphs.
    """
    lowest = np.arange(count, dtype=np.int32)
    while (apart := ours != theirs).any():
        ours, theirs = ours[apart], theirs[apart]
        np.minimum.at(lowest, np.maximum(ours, theirs), np.minimum(ours, theirs))
        while not np.array_equal(lowest, below := lowest[lowest]):
            lowest = below
        ours, theirs = lowest[ours], lowest[theirs]
    heads = lowest == np.arange(count)
    return (np.cumsum(heads, dtype=np.int32) - 1)[lowest], int(np.count_nonzero(heads))


def _pairs_by_depth(
    places: NDArray[np.intp], depths: NDArray[np.intp], shape: tuple[int, ...], count: int
) -> tuple[NDArray[np.intp], NDArray[np.int32], NDArray[np.intp]]:
    """Voxels that touch, pair by pair, the deeper one's depth ascending, and where each depth ends."""
    theirs, ends = _touching(places, shape)
    ours = np.repeat(np.arange(places.size), np.diff(ends))
    deeper = np.maximum(depths[ours], depths[theirs]).astype(np.int16)
    order = np.argsort(deeper, kind="stable")
    return ours[order], theirs[order], np.cumsum(np.bincount(deeper, minlength=count))

"""26-connected components of a mask, listed by its voxels."""

from dataclasses import dataclass
from itertools import product

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


def padded_shape(mask: Mask) -> tuple[int, ...]:
    """One voxel more on every side, so that no step leads round the box to its other side."""
    return tuple(size + 2 for size in mask.shape)


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
    number = np.zeros(np.prod(shape), dtype=np.int32)
    number[places] = np.arange(1, places.size + 1)
    reached = number[places[:, None] + steps(shape)[None, 13:]]  # (n, 13): every pair once
    touches = reached > 0
    ends = np.append(0, np.cumsum(np.count_nonzero(touches, axis=1)))
    graph = csr_array((touches[touches], reached[touches] - 1, ends), shape=(places.size, places.size))
    count, labels = connected_components(graph, directed=False)
    return Components(labels, int(count))

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
        voxels: `(n,)` places in the flattened `(X, Y, Z)`, ascending.
        labels: `(n,)` from 0 to `count - 1`.
    """

    voxels: NDArray[np.intp]
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
    voxels = np.flatnonzero(mask)
    if voxels.size > SPARSE * mask.size:
        labels, count = ndimage.label(mask, structure=TOUCHING)
        return Components(voxels, labels.ravel()[voxels] - 1, int(count))
    return _by_graph(mask, voxels)


def steps(shape: tuple[int, ...]) -> NDArray[np.intp]:
    """`(26,)` how far the neighbours of a voxel are from it in a flattened box of this shape."""
    strides = np.array([shape[1] * shape[2], shape[2], 1])
    around = [step for step in product((-1, 0, 1), repeat=3) if any(step)]
    return np.asarray(np.array(around) @ strides)


def _by_graph(mask: Mask, voxels: NDArray[np.intp]) -> Components:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if not voxels.size:
        return Components(voxels, np.zeros(0, dtype=np.int32), 0)
    padded = tuple(size + 2 for size in mask.shape)  # so that no step leads round the box to its other side
    x, y, z = np.unravel_index(voxels, mask.shape)
    places = np.ravel_multi_index((x + 1, y + 1, z + 1), padded)
    number = np.full(np.prod(padded), -1, dtype=np.int32)
    number[places] = np.arange(voxels.size)
    reached = number[places[:, None] + steps(padded)[None, 13:]]  # (n, 13): every pair once
    near, far = np.nonzero(reached >= 0)[0], reached[reached >= 0]
    graph = coo_array((np.ones(near.size, dtype=bool), (near, far)), shape=(voxels.size, voxels.size))
    count, labels = connected_components(graph, directed=False)
    return Components(voxels, labels, int(count))

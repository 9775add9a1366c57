"""Random small volumes for tests of metrics: ties, empty masks, one-voxel lesions and full boxes among them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Drawn:
    """One draw; all arrays are `(X, Y, Z)`."""

    number: int
    scores: NDArray[np.float32]
    prediction: Mask
    lesion: Mask
    spacing: tuple[float, float, float]


def drawn(count: int, *, longest: int = 6) -> Iterator[Drawn]:
    for number in range(count):
        rng = np.random.default_rng(number)
        shape = tuple(rng.integers(1, longest + 1, 3))
        levels = int(rng.choice([1, 2, 3, 10, 10_000]))
        scores = (rng.integers(0, levels, shape) / levels).astype(np.float32)
        lesion = rng.random(shape) < rng.choice([0, 0.05, 0.3, 1])
        if number % 3 == 0:
            lesion[:] = False
            lesion.flat[rng.integers(lesion.size)] = True
        prediction = rng.random(shape) < rng.choice([0, 0.1, 0.4, 1])
        x, y, z = rng.choice([1.0, 2.0, 2.5, 4.0], 3)
        yield Drawn(number, scores, prediction, lesion, (float(x), float(y), float(z)))


def flooded(mask: Mask) -> list[set[tuple[int, ...]]]:
    """The 26-connected components of a mask, voxel by voxel."""
    left, parts = {tuple(voxel) for voxel in np.argwhere(mask).tolist()}, []
    steps = [(i, j, k) for i in (-1, 0, 1) for j in (-1, 0, 1) for k in (-1, 0, 1)]
    while left:
        edge = [left.pop()]
        part = set(edge)
        while edge:
            x, y, z = edge.pop()
            near = {(x + i, y + j, z + k) for i, j, k in steps} & left
            left -= near
            part |= near
            edge += near
        parts.append(part)
    return parts


def without_small(prediction: NDArray[np.bool_], smallest: int) -> NDArray[np.bool_]:
    """The prediction `(X, Y, Z)` without its 26-connected components of fewer voxels."""
    labels, _ = ndimage.label(prediction, structure=np.ones((3, 3, 3)))
    kept = np.bincount(labels.ravel()) >= smallest
    kept[0] = False
    return np.asarray(kept[labels])

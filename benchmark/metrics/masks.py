"""Mask and Scores, the arrays that metrics are of, and what every metric asks of them."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Scores = NDArray[np.floating]


def check_masks(prediction: NDArray[np.generic], lesion: Mask) -> None:
    """Raises ValueError where shapes differ, rather than broadcast, or where a mask is not bool."""
    if prediction.shape != lesion.shape:
        raise ValueError(f"Got shape {prediction.shape}, wanted {lesion.shape} as of the lesion mask.")
    if lesion.dtype != np.bool_:
        raise ValueError(f"Got a lesion mask of {lesion.dtype}, wanted bool.")


def bounding_box(mask: Mask) -> tuple[slice, ...]:
    """The smallest box that holds every voxel of a mask `(X, Y, Z)`; empty for an empty one."""
    box = []
    for axis in range(mask.ndim):
        found = np.flatnonzero(mask.any(axis=tuple(other for other in range(mask.ndim) if other != axis)))
        box.append(slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0))
    return tuple(box)

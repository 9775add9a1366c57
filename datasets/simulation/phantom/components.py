"""The largest connected component of a mask."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The 26-connected component of `mask`, `(X, Y, Z)`, with the most voxels; `mask` must not be empty."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))

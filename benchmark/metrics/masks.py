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

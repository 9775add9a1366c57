"""Percentiles of a brain as landmarks, and the piecewise linear maps between two sets of them."""

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)
DIGITS = 5  # of a landmark: beyond them machines differ


def percentiles_of(image: NDArray[np.floating], brain_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The brain's intensities at `PERCENTILES`; NaN for an empty brain."""
    values = image[brain_mask]
    if not values.size:
        return np.full(len(PERCENTILES), np.nan)
    return np.percentile(values.astype(np.float64), PERCENTILES)


def moved_onto(
    image: NDArray[np.float32], brain_mask: NDArray[np.bool_], landmarks: tuple[float, ...]
) -> NDArray[np.float32]:
    """The image with its own percentiles at `landmarks`, lines between, cut off beyond; 0 outside the brain.

    It is monotone, and not linear: a linear map would be undone by, or be the same as, scaling to percentiles.

    References:
        Nyul, Udupa, Zhang: New variants of a method of MRI scale standardization. IEEE Transactions on
        Medical Imaging 19(2), 2000.
    """
    result = np.zeros_like(image)
    values = image[brain_mask]
    if values.size:
        own, places = np.unique(percentiles_of(image, brain_mask), return_index=True)
        result[brain_mask] = np.interp(values, own, np.asarray(landmarks)[places])
    return result


def mean_landmarks(each: list[NDArray[np.float64]]) -> tuple[float, ...]:
    """The mean over cases; cases without brain say nothing."""
    known = [one for one in each if np.isfinite(one).all()]
    return tuple(round(float(value), DIGITS) for value in np.mean(known, axis=0))

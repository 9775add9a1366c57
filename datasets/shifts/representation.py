"""Representation shifts, applied to the scaled image on the grid; percentiles as landmarks of histograms."""

import numpy as np
from numpy.typing import NDArray

from datasets.shifts.shift import FloatArray, View

PERCENTILES = (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)
DIGITS = 5  # of a landmark; further digits differ between machines


def gamma(view: View, level: float) -> FloatArray:
    """x ** level."""
    return np.asarray(view.image**level, dtype=np.float32)


def inversion(view: View, level: float) -> FloatArray:
    """`level` of the way from x to 1 - x."""
    return np.asarray(view.image + np.float32(level) * (1 - 2 * view.image), dtype=np.float32)


def window(view: View, level: float) -> FloatArray:
    """Scaled by percentiles `level` of the way to 0 and 100, so that outliers compress all other intensities."""
    if view.rescaled is None:
        raise ValueError("Got a view that cannot be rescaled, expected one of the stage representation.")
    low, high = view.percentiles
    return view.rescaled((low * (1 - level), high + (100 - high) * level))


def transfer(view: View, level: float) -> FloatArray:
    """`level` of the way from x to the histogram of another cohort."""
    there = match_histogram(view.image, view.brain_mask, view.landmarks)
    return np.asarray(view.image + np.float32(level) * (there - view.image), dtype=np.float32)


def percentiles_of(image: NDArray[np.floating], brain_mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The brain's intensities at `PERCENTILES`; NaN for an empty brain."""
    values = image[brain_mask]
    if not values.size:
        return np.full(len(PERCENTILES), np.nan)
    return np.percentile(values.astype(np.float64), PERCENTILES)


def match_histogram(
    image: NDArray[np.float32], brain_mask: NDArray[np.bool_], landmarks: tuple[float, ...]
) -> NDArray[np.float32]:
    """Move the image's own percentiles onto `landmarks`, linear between them, clipped beyond; 0 outside the brain.

    The map is monotone and not linear: scaling to percentiles would undo a linear one.

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
    """The mean over cases; cases without brain do not count."""
    known = [one for one in each if np.isfinite(one).all()]
    return tuple(round(float(value), DIGITS) for value in np.mean(known, axis=0))

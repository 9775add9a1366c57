"""What is done otherwise after the scanner: changes of the scaled image on the grid."""

import numpy as np

from datasets.shifts.histogram import moved_onto
from datasets.shifts.kind import View, Volume


def gamma(view: View, level: float) -> Volume:
    """x ** level."""
    return np.asarray(view.image**level, dtype=np.float32)


def inversion(view: View, level: float) -> Volume:
    """`level` of the way from x to 1 - x."""
    return np.asarray(view.image + np.float32(level) * (1 - 2 * view.image), dtype=np.float32)


def window(view: View, level: float) -> Volume:
    """Scaled by percentiles `level` of the way to 0 and 100, so that outliers press all else together."""
    if view.rescaled is None:
        raise ValueError("Got a view that cannot be scaled anew, wanted one of the stage representation.")
    low, high = view.percentiles
    return view.rescaled((low * (1 - level), high + (100 - high) * level))


def transfer(view: View, level: float) -> Volume:
    """`level` of the way from x to the histogram of another cohort."""
    there = moved_onto(view.image, view.brain_mask, view.landmarks)
    return np.asarray(view.image + np.float32(level) * (there - view.image), dtype=np.float32)

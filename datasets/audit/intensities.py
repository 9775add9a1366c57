"""Intensities: images that hold no picture of a brain, or a spoilt one."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from datasets.audit.volumes import Told

FEWEST_LEVELS = 16
SATURATED = 0.1  # share of the brain at its brightest intensity
NEGATIVE = 0.001


def intensity_findings(image: NDArray[np.generic], brain: NDArray[np.bool_]) -> Iterator[Told]:
    """Of an image `(X, Y, Z)` over its brain, or over all of it where the brain is not known."""
    values = image[brain].astype(np.float64) if brain.any() else image.ravel().astype(np.float64)
    low, high = float(values.min()), float(values.max())
    if low == high:
        whole = "0" if low == 0 and not image.any() else f"{low:g}"
        where = "the volume" if not image.any() else "the brain"
        yield "error", "constant-image", f"one intensity ({whole}) throughout {where}", "contrast"
        return
    levels = len(np.unique(values))
    if levels < FEWEST_LEVELS:
        yield "warning", "few-levels", f"{levels} different intensities in the brain", f"{FEWEST_LEVELS} or more"
    at_top = float((values == high).mean())
    if at_top > SATURATED:
        yield "warning", "saturated", f"{at_top:.0%} of the brain at its highest intensity ({high:g})", "a tail"
    below = float((values < 0).mean())
    if below > NEGATIVE:
        yield "warning", "negative-intensities", f"{below:.1%} of the brain below 0, down to {low:g}", "magnitudes"

"""What is alarmed where there is nothing to find."""

from collections.abc import Sequence
from math import ceil

import numpy as np
from scipy import ndimage

from benchmark.metrics.masks import Mask, components


def far_from_lesion(lesion: Mask, brain: Mask, spacing: Sequence[float], *, collar_mm: float = 10.0) -> Mask:
    """The brain more than `collar_mm` from the nearest lesion voxel, centre to centre.

    Args:
        lesion, brain: `(X, Y, Z)`.
        spacing: voxel edges in mm.

    Returns:
        `(X, Y, Z)`; the whole brain without lesion.

    Example:
        >>> lesion = np.arange(9).reshape(9, 1, 1) == 0
        >>> far_from_lesion(lesion, np.ones_like(lesion), (2.0, 2.0, 2.0)).ravel().nonzero()[0].tolist()
        [6, 7, 8]
    """
    if not lesion.any():
        return brain.copy()
    margin = [ceil(collar_mm / edge) for edge in spacing]
    around = tuple(
        slice(max(0, where.min() - wide), where.max() + wide + 1)
        for where, wide in zip(np.nonzero(lesion), margin, strict=True)
    )
    far = brain.copy()  # beyond this part of the box every voxel is
    far[around] &= ndimage.distance_transform_edt(~lesion[around], sampling=spacing) > collar_mm
    return far


def alarms(prediction: Mask) -> int:
    """Number of 26-connected components of a prediction `(X, Y, Z)`.

    Example:
        >>> alarms(np.eye(3, dtype=bool)[None])
        1
    """
    return components(prediction).count


def alarm_fraction(prediction: Mask, brain: Mask) -> float:
    """Predicted part of the voxels of `brain`, in [0, 1]; NaN for an empty brain.

    Args:
        prediction, brain: equal shapes, any; `brain` may be a part of it, such as `far_from_lesion`.

    Example:
        >>> alarm_fraction(np.array([True, True, False]), np.array([False, True, True]))
        0.5
    """
    voxels = np.count_nonzero(brain)
    return float(np.count_nonzero(prediction & brain) / voxels) if voxels else np.nan

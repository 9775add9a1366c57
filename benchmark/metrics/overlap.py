"""Overlap of a prediction with the lesion, counted in voxels."""

import numpy as np

from benchmark.metrics.masks import Mask, check_masks


def dice(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """2 TP / (2 TP + FP + FN), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.

    Returns:
        0 for an empty prediction of a lesion; NaN without lesion.

    Example:
        >>> dice(np.array([True, True, False, False]), np.array([True, False, True, False]))
        0.5
    """
    check_masks(prediction, lesion)
    positives = np.count_nonzero(lesion) + missed
    if not positives:
        return np.nan
    return float(2 * np.count_nonzero(prediction & lesion) / (np.count_nonzero(prediction) + positives))


def precision(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """TP / (TP + FP), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.
        missed: decides only whether there is a lesion.

    Returns:
        NaN for an empty prediction, which has nothing to be right or wrong about; NaN without lesion, where
        alarms are counted instead.

    Example:
        >>> precision(np.array([True, True, False]), np.array([False, True, True]))
        0.5
    """
    check_masks(prediction, lesion)
    predicted = np.count_nonzero(prediction)
    if not predicted or not np.count_nonzero(lesion) + missed:
        return np.nan
    return float(np.count_nonzero(prediction & lesion) / predicted)


def recall(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """TP / (TP + FN), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.

    Returns:
        0 for an empty prediction of a lesion; NaN without lesion.

    Example:
        >>> recall(np.array([True, False, False]), np.array([True, True, False]), missed=2)
        0.25
    """
    check_masks(prediction, lesion)
    positives = np.count_nonzero(lesion) + missed
    if not positives:
        return np.nan
    return float(np.count_nonzero(prediction & lesion) / positives)

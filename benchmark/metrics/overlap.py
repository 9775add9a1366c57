"""Overlap of a prediction with the lesion, counted in voxels."""

import numpy as np

from benchmark.metrics.masks import Mask, check_masks


def dice(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """2 TP / (2 TP + FP + FN), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.

    Returns:
        0 for an empty prediction of a lesion; NaN without lesion.

    Examples:
        >>> dice(np.array([True, True, False, False]), np.array([True, False, True, False]))
        0.5
    """
    check_masks(prediction, lesion)
    return dice_of(*_counts(prediction, lesion, missed))


def precision(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """TP / (TP + FP), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.
        missed: decides only whether there is a lesion.

    Returns:
        NaN for an empty prediction, which has nothing to be right or wrong about; NaN without lesion, where
        false positives are counted instead.

    Examples:
        >>> precision(np.array([True, True, False]), np.array([False, True, True]))
        0.5
    """
    check_masks(prediction, lesion)
    return precision_of(*_counts(prediction, lesion, missed))


def recall(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """TP / (TP + FN), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.

    Returns:
        0 for an empty prediction of a lesion; NaN without lesion.

    Examples:
        >>> recall(np.array([True, False, False]), np.array([True, True, False]), missed=2)
        0.25
    """
    check_masks(prediction, lesion)
    return recall_of(*_counts(prediction, lesion, missed))


def dice_of(true: int, predicted: int, positives: float) -> float:
    """`dice` of voxels counted already: true positives, TP + FP, and TP + FN."""
    return float(2 * true / (predicted + positives)) if positives else np.nan


def precision_of(true: int, predicted: int, positives: float) -> float:
    """`precision` of the same."""
    return float(true / predicted) if predicted and positives else np.nan


def recall_of(true: int, predicted: int, positives: float) -> float:
    """`recall` of the same."""
    return float(true / positives) if positives else np.nan


def _counts(prediction: Mask, lesion: Mask, missed: float) -> tuple[int, int, float]:
    true = int(np.count_nonzero(prediction & lesion))
    return true, int(np.count_nonzero(prediction)), np.count_nonzero(lesion) + missed

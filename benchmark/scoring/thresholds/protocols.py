"""Where a score becomes an alarm: PROTOCOLS, the ways to choose a threshold, and what they take from single scans.

Scores are of post-processed maps, before small components are removed, unless a protocol says *through the whole
chain*. `missed` is as in `benchmark.metrics`.
"""

from collections.abc import Iterable, Sequence
from math import ceil

import numpy as np

from benchmark.metrics.masks import Mask, Scores
from benchmark.metrics.ranking import best_dice_of, rank
from benchmark.study.protocols import ROUNDING, scans_needed


def above(scores: Scores, threshold: float) -> Mask:
    """The prediction `score > threshold`, of the scores' shape; a score of 0 is never an alarm.

    Raises:
        ValueError: the threshold is negative or NaN.
    """
    if not threshold >= 0:
        raise ValueError(f"Got threshold {threshold}, wanted 0 or more.")
    with np.errstate(over="ignore"):
        rounded = scores.dtype.type(threshold)
    if float(rounded) > threshold:  # rounded up it would lie on scores that are above the threshold itself
        rounded = np.nextafter(rounded, scores.dtype.type(0))
    return np.asarray(scores > rounded)


def best_dice_threshold(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """The threshold of the best Dice over all voxels, exact; the highest one of several.

    Args:
        scores, lesion: `(V,)`, the brain voxels of one case or of several together; scores at least 0.

    Returns:
        Halfway between the lowest score predicted and the next lower one (0 below the lowest), so that it
        separates unseen scores as well; 0 where no score is positive; NaN without lesion.

    Raises:
        ValueError: a score is negative or NaN.
    """
    return best_dice_of(rank(scores, lesion, missed=missed))[1]


def best_dice(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """The Dice at `best_dice_threshold`, in [0, 1]; NaN without lesion."""
    return best_dice_of(rank(scores, lesion, missed=missed))[0]


def healthy_fpr_threshold(scores_per_scan: Iterable[Scores], rate: float) -> float:
    """Mean over healthy scans of each scan's (1 - rate) quantile, interpolated linearly.

    Args:
        scores_per_scan: `(V,)` each, every brain voxel of one scan, the eroded rim's zeros included.
        rate: in (0, 1).

    Raises:
        ValueError: no scan, a scan without voxels, or a rate outside (0, 1).
    """
    if not 0 < rate < 1:
        raise ValueError(f"Got rate {rate}, wanted a fraction between 0 and 1.")
    quantiles = [_quantile(scores, 1 - rate) for scores in scores_per_scan]
    if not quantiles:
        raise ValueError("Got no healthy scan, wanted at least one.")
    return float(np.mean(quantiles))


def healthy_alarm_threshold(levels: Sequence[float], rate: float) -> float:
    """The smallest threshold at which at most `rate` of healthy scans is expected to raise any alarm.

    It is the k-th smallest of the levels, k = ceil((n + 1)(1 - rate)): for a further scan that is exchangeable with
    these n, the chance of an alarm is at most `rate` (split conformal prediction).

    Args:
        levels: of each scan, the score below which a threshold has to lie for any alarm: the highest score of its
            map through the whole chain.
        rate: in (0, 1).

    Returns:
        NaN where there are fewer than `scans_needed` scans: no threshold keeps the promise.

    Raises:
        ValueError: a rate outside (0, 1).
    """
    if len(levels) < scans_needed(rate):
        return np.nan
    return float(np.sort(levels)[_conformal_rank(len(levels), rate) - 1])


def _conformal_rank(scans: int, rate: float) -> int:
    return ceil((scans + 1) * (1 - rate) - ROUNDING)


def _quantile(scores: Scores, level: float) -> float:
    if not scores.size:
        raise ValueError("Got a scan without brain voxels, wanted at least one.")
    return float(np.quantile(scores.astype(np.float64), level))

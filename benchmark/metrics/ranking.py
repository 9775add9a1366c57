"""How well scores rank the lesion's voxels above the others, without any threshold.

A `Ranking` counts voxels by their score. It is all that these metrics need of a map, and smaller than it.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Mask, Scores, check_masks


@dataclass(frozen=True)
class Ranking:
    """Voxels counted by score.

    Attributes:
        values: `(K,)` the distinct scores, ascending.
        lesion, others: `(K,)` voxels of the lesion, and all others, of each score.
        missed: lesion voxels without a score, which rank below all.
    """

    values: Scores
    lesion: NDArray[np.int64]
    others: NDArray[np.int64]
    missed: float = 0

    @property
    def total(self) -> float:
        """Lesion voxels, missed ones too."""
        return float(self.lesion.sum()) + self.missed

    @property
    def prevalence(self) -> float:
        """Part of all voxels that is lesion, in [0, 1]; missed voxels count as voxels. NaN without any voxel."""
        voxels = self.total + float(self.others.sum())
        return self.total / voxels if voxels else np.nan

    @cached_property
    def predicted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """`(K,)` each: lesion voxels, and all voxels, that score at least each value."""
        true = np.cumsum(self.lesion[::-1])[::-1]
        return true, true + np.cumsum(self.others[::-1])[::-1]

    def padded(self, lesion: int, others: int, *, missed: float) -> "Ranking":
        """The same with further voxels of score 0, and with `missed` in place of what was missed."""
        zero = int(self.values.size > 0 and self.values[0] == 0)
        values = np.concatenate([np.zeros(1, dtype=self.values.dtype), self.values[zero:]])
        new_lesion, new_others = (
            np.concatenate([[part[:zero].sum() + more], part[zero:]])
            for part, more in ((self.lesion, lesion), (self.others, others))
        )
        return Ranking(values, new_lesion, new_others, missed)


def rank(scores: Scores, lesion: Mask, *, missed: float = 0) -> Ranking:
    """Count voxels by score.

    Args:
        scores, lesion: equal shapes, any.

    Raises:
        ValueError: a score is NaN.
    """
    check_masks(scores, lesion)
    ascending = np.sort(scores, axis=None)
    if ascending.size and np.isnan(ascending[-1]):  # NaN sorts last
        raise ValueError("Got a score that is NaN, expected finite scores.")
    ends = np.flatnonzero(np.append(ascending[1:] != ascending[:-1], ascending.size > 0))
    values, counts = ascending[ends], np.diff(ends, prepend=-1)
    inside = np.bincount(np.searchsorted(values, scores[lesion]), minlength=values.size)
    return Ranking(values, inside, counts - inside, missed)


def average_precision(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """Step-wise area under the precision-recall curve: sum over k of (R_k - R_(k-1)) P_k, in [0, 1].

    k runs down the distinct scores: equal scores form one step, no trapezoid. Voxels of score 0 are ranked
    last like any other equal scores. Missed voxels are never retrieved, so recall stays below 1.

    Args:
        scores, lesion: equal shapes, any.

    Returns:
        NaN without lesion.

    Raises:
        ValueError: a score is NaN.

    Examples:
        >>> average_precision(np.array([0.9, 0.5, 0.5, 0.5]), np.array([True, True, False, False]))
        0.75
    """
    return ap_of(rank(scores, lesion, missed=missed))


def ap_of(ranking: Ranking) -> float:
    """`average_precision` of voxels counted already."""
    if not ranking.total:
        return np.nan
    steps = ranking.lesion > 0
    true, predicted = (count[steps] for count in ranking.predicted)
    return float(np.sum(ranking.lesion[steps] * (true / predicted)) / ranking.total)


def quantile_of(ranking: Ranking, level: float) -> float:
    """The score that this part of the voxels does not exceed, interpolated linearly; NaN without any voxel."""
    counts = np.cumsum(ranking.lesion + ranking.others)
    if not counts.size:
        return np.nan
    place = level * (counts[-1] - 1)
    low, high = (float(ranking.values[np.searchsorted(counts, at, "right")]) for at in (int(place), ceil(place)))
    return low + (high - low) * (place - int(place))


def auroc(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """P(lesion voxel scores above a healthy one) + P(equal) / 2, in [0, 1].

    Missed voxels rank below every healthy voxel.

    Args:
        scores, lesion: equal shapes, any.

    Returns:
        NaN without lesion or without healthy voxel.

    Raises:
        ValueError: a score is NaN.

    Examples:
        >>> auroc(np.array([0.9, 0.5, 0.5, 0.0]), np.array([True, True, False, False]))
        0.875
    """
    return auroc_of(rank(scores, lesion, missed=missed))


def auroc_of(ranking: Ranking) -> float:
    """`auroc` of voxels counted already."""
    pairs = ranking.total * float(ranking.others.sum())
    if not pairs:
        return np.nan
    below = np.cumsum(ranking.others) - ranking.others / 2
    return float(np.sum(ranking.lesion * below) / pairs)


def lift(ap: float, prevalence: float) -> float:
    """(AP - p) / (1 - p): 0 for a random ranking, 1 for a perfect one, whatever the prevalence.

    Args:
        ap: average precision.
        prevalence: fraction of the ranked voxels that are lesion, in [0, 1].

    Returns:
        NaN where `ap` is, and where every voxel is lesion.

    Examples:
        >>> lift(0.75, 0.5)
        0.5
    """
    return (ap - prevalence) / (1 - prevalence) if prevalence < 1 else np.nan


def best_dice_of(ranking: Ranking) -> tuple[float, float]:
    """The best Dice of all thresholds, and the highest threshold that reaches it.

    The threshold is halfway from the lowest score predicted to the next lower one (0 below the lowest), so that
    it separates unseen scores as well; it is 0 where no score is positive.

    Returns:
        NaN and NaN without lesion.

    Raises:
        ValueError: a score is negative.
    """
    if ranking.values.size and ranking.values[0] < 0:
        raise ValueError(f"Got a score of {ranking.values[0]}, expected 0 or more.")
    if not ranking.total:
        return np.nan, np.nan
    if not ranking.values.size or ranking.values[-1] == 0:
        return 0.0, 0.0
    true, predicted = ranking.predicted
    positive = ranking.values > 0  # a score of 0 is never predicted
    dice = np.where(positive, 2 * true / (predicted + ranking.total), -1)
    best = dice.size - 1 - int(np.argmax(dice[::-1]))
    lower = ranking.values[best - 1] if best else ranking.values.dtype.type(0)
    return float(dice[best]), halfway(lower, ranking.values[best])


def best_dice(scores: Scores, lesion: Mask, *, missed: float = 0) -> tuple[float, float]:
    """The best Dice over all voxels, in [0, 1], and its threshold, both exact; the highest threshold of several.

    Args:
        scores, lesion: `(V,)`, the brain voxels of one case or of several together; scores at least 0.

    Returns:
        As `best_dice_of`.

    Raises:
        ValueError: a score is negative or NaN.
    """
    return best_dice_of(rank(scores, lesion, missed=missed))


def halfway(lower: np.floating, upper: np.floating) -> float:
    """Between two scores, never rounded up to the upper one."""
    middle = lower + (upper - lower) / 2
    return float(middle if middle < upper else lower)

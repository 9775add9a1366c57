"""Lesions found and false alarms, counted in 26-connected components instead of voxels.

Matching rule `overlap-10`: a lesion is found where at least 10 % of its voxels are predicted; an alarm is true
where at least 10 % of its voxels are lesion. The shares keep one alarm that covers the brain, and one voxel that
grazes a lesion, from counting as a find. Lesion outside the grid's box has no component and does not count.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Components, Mask, Scores, check_masks, components

MATCHING = "overlap-10"
PERCENT = 10  # of a lesion that has to be predicted, and of an alarm that has to be lesion


@dataclass(frozen=True)
class Found:
    """What a prediction finds.

    Attributes:
        found: `(lesions,)` whether each lesion is found.
        true: `(alarms,)` whether each alarm is true.
    """

    found: Mask
    true: Mask

    @property
    def false_alarms(self) -> int:
        return int(np.count_nonzero(~self.true))

    @property
    def recall(self) -> float:
        """Part of the lesions that is found, in [0, 1]; NaN without lesion."""
        return float(self.found.mean()) if self.found.size else np.nan

    @property
    def precision(self) -> float:
        """Part of the alarms that is true, in [0, 1]; NaN without alarm and without lesion."""
        return float(self.true.mean()) if self.true.size and self.found.size else np.nan

    @property
    def f1(self) -> float:
        """2 P R / (P + R), in [0, 1]; 0 where nothing is found, without any alarm too; NaN without lesion."""
        if not self.found.size:
            return np.nan
        if not self.found.any() or not self.true.any():
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)


def find_lesions(prediction: Mask, lesion: Mask) -> Found:
    """Match the alarms of a prediction with the lesions, both `(X, Y, Z)`.

    Example:
        >>> lesion = np.arange(9).reshape(9, 1, 1) < 3
        >>> find_lesions(np.arange(9).reshape(9, 1, 1) == 2, lesion).recall
        1.0
    """
    check_masks(prediction, lesion)
    lesions, alarms = components(lesion), components(prediction)
    return Found(
        found=large_enough(lesions.labels[prediction[lesion]], lesions.sizes),
        true=large_enough(alarms.labels[lesion[prediction]], alarms.sizes),
    )


def large_enough(shared: NDArray[np.integer], sizes: NDArray[np.intp]) -> Mask:
    """`(count,)` which components share enough of their voxels.

    Args:
        shared: for each voxel that is shared, the label of its component.
        sizes: `(count,)` voxels of each component.
    """
    return np.asarray(100 * np.bincount(shared, minlength=sizes.size) >= PERCENT * sizes)


def lesion_levels(scores: Scores, lesions: Components) -> NDArray[np.float64]:
    """`(lesions,)` the score below which a threshold has to lie for each lesion to be found.

    Args:
        scores: `(n,)` those of the lesions' voxels, in their order.
    """
    order = np.lexsort((-scores, lesions.labels))
    first = np.cumsum(lesions.sizes) - lesions.sizes
    needed = np.array([ceil(PERCENT * size / 100) for size in lesions.sizes.tolist()], dtype=np.intp)
    return np.asarray(scores[order][first + needed - 1], dtype=np.float64)


def froc_point(rates: NDArray[np.float64], recalls: NDArray[np.float64], allowed: float) -> float:
    """The recall reached before there are more than `allowed` false alarms a scan, as the threshold falls; in [0, 1].

    Args:
        rates, recalls: `(T,)` false alarms a scan and lesion recall at falling thresholds.

    Returns:
        0 where the first threshold has too many already. A rate that falls again further on, because alarms have
        grown together, does not count.

    Example:
        >>> froc_point(np.array([0.0, 1.0, 3.0, 0.5]), np.array([0.1, 0.4, 0.7, 1.0]), 1)
        0.4
    """
    too_many = np.flatnonzero(rates > allowed)
    reached = recalls[: too_many[0]] if too_many.size else recalls
    return float(reached.max(initial=0))

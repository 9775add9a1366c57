"""Lesions found and false positives, counted in 26-connected components instead of voxels; FROC; sizes of lesions.

Matching rule `overlap-10`: a lesion is found where at least 10 % of its voxels are predicted; a component is a true
positive where at least 10 % of its voxels are lesion. The shares keep one component that covers the brain, and one
voxel that grazes a lesion, from counting as a detection, but not one component that is a tenth lesion.

Rule `overlap-10-30`, bounded in both directions: a lesion is found where at least 10 % of its voxels are predicted by
components of which at least 30 % is lesion, and these components are the true positives (the limits alpha and beta of
Commowick et al., Sci Rep 8 (2018) 13650; here a component is judged by all lesions that it covers).

A lesion too small for the grid counts as missed, in the stratum of its own volume; lesion outside the grid's box does
not count. Voxels that are ignored belong to no component.
"""

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Components, Mask, Scores, check_masks, components

ALLOWED = (0.25, 0.5, 1, 2, 4, 8)  # false positives a scan whose recalls `froc` averages
ALL_SIZES = "all"
STRATA = {
    ALL_SIZES: (0.0, np.inf),
    "<0.1 ml": (0.0, 0.1),
    "0.1-1 ml": (0.1, 1.0),
    "1-10 ml": (1.0, 10.0),
    ">=10 ml": (10.0, np.inf),
}
"""Sizes of lesions, from and below so many ml."""
PERCENT = 10  # of a lesion that has to be predicted, and of a component that has to be lesion
BOUNDED = 30  # of a component that has to be lesion where hits are bounded in both directions


@dataclass(frozen=True)
class Matches:
    """Which lesions a prediction finds, and which of its components lie on a lesion.

    Attributes:
        found: `(lesions,)` whether each lesion is found, those on the grid before those lost.
        true: `(components,)` whether each component of the prediction is a true positive.
    """

    found: Mask
    true: Mask

    @property
    def false_positives(self) -> int:
        return int(np.count_nonzero(~self.true))

    @property
    def recall(self) -> float:
        """Part of the lesions that is found, in [0, 1]; NaN without lesion."""
        return float(self.found.mean()) if self.found.size else np.nan

    @property
    def precision(self) -> float:
        """Part of the components that are true positives, in [0, 1]; NaN without component and without lesion."""
        return float(self.true.mean()) if self.true.size and self.found.size else np.nan

    @property
    def f1(self) -> float:
        """2 P R / (P + R), in [0, 1]; 0 where nothing is found, nothing predicted included; NaN without lesion."""
        if not self.found.size:
            return np.nan
        if not self.found.any() or not self.true.any():
            return 0.0
        return 2 * self.precision * self.recall / (self.precision + self.recall)


def match_lesions(prediction: Mask, lesion: Mask) -> Matches:
    """Match the components of a prediction with the lesions, both `(X, Y, Z)`.

    Examples:
        >>> lesion = np.arange(9).reshape(9, 1, 1) < 3
        >>> match_lesions(np.arange(9).reshape(9, 1, 1) == 2, lesion).recall
        1.0
    """
    check_masks(prediction, lesion)
    lesions, parts = components(lesion), components(prediction)
    return Matches(
        found=large_enough(lesions.labels[prediction[lesion]], lesions.sizes),
        true=large_enough(parts.labels[lesion[prediction]], parts.sizes),
    )


def large_enough(shared: NDArray[np.integer], sizes: NDArray[np.intp], percent: int = PERCENT) -> Mask:
    """`(count,)` which components share enough of their voxels.

    Args:
        shared: for each voxel that is shared, the label of its component.
        sizes: `(count,)` voxels of each component.
        percent: of its voxels that are enough.
    """
    return np.asarray(100 * np.bincount(shared, minlength=sizes.size) >= percent * sizes)


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
    """Recall before there are more than `allowed` false positives a scan, as the threshold falls; in [0, 1].

    Args:
        rates, recalls: `(T,)` false positives a scan and lesion recall at falling thresholds.

    Returns:
        0 where the first threshold has too many already. A rate that falls again further on, because components
        have grown together, does not count.

    Examples:
        >>> froc_point(np.array([0.0, 1.0, 3.0, 0.5]), np.array([0.1, 0.4, 0.7, 1.0]), 1)
        0.4
    """
    too_many = np.flatnonzero(rates > allowed)
    reached = recalls[: too_many[0]] if too_many.size else recalls
    return float(reached.max(initial=0))


@dataclass(frozen=True)
class FrocCurve:
    """Lesion recall against false positives of a cohort's lesion cases.

    Attributes:
        rates, recalls: `(T,)` false positives a scan and lesion recall at falling thresholds.
        lesions: how many there are, those lost by the grid included.

    Examples:
        >>> FrocCurve(np.array([0.0, 1.0, 3.0]), np.array([0.1, 0.4, 0.7]), lesions=10).at(1)
        0.4
    """

    rates: NDArray[np.float64]
    recalls: NDArray[np.float64]
    lesions: int

    def at(self, allowed: float) -> float:
        """Recall at that many false positives a scan; NaN without lesion."""
        return froc_point(self.rates, self.recalls, allowed) if self.lesions else np.nan

"""Conformal calibration: thresholds and p-values whose false alarms are bounded by counting healthy scans.

If a new healthy scan is exchangeable with m healthy ones, as likely to be any one's rank among all m + 1 as any
other, then a threshold at a rank is exceeded no more often than that rank says, whatever the method and whatever the
distribution of its scores. The guarantee is over the draw of the m scans too; a single calibration does better or
worse, by how much `rate_given_scans` says.

References:
    Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World (2005). Vovk, ACML (2012), for the law given the
    calibration. Dunn, Wasserman, Ramdas, JASA 118 (2023) 2491-2502, for several values (voxels) a scan.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from datasets.errors import BadValue
from datasets.words import count_text

Scores = NDArray[np.floating]


@dataclass(frozen=True)
class ScanThreshold:
    """A threshold above which at most `alpha` of healthy scans raise any alarm.

    Attributes:
        scans: m, of as many people.
        rank: the threshold is the level of the scan of this rank, 1 being the lowest.
        guaranteed: the bound that the rank gives, (m + 1 - rank) / (m + 1) <= alpha.
    """

    threshold: float
    alpha: float
    scans: int
    rank: int

    @property
    def guaranteed(self) -> float:
        return (self.scans + 1 - self.rank) / (self.scans + 1)


def scans_needed(alpha: float) -> int:
    """The fewest healthy scans for which any threshold keeps `alpha`: 19 for 5 %."""
    return ceil(round(1 / alpha, 9)) - 1


def scan_threshold(levels: Sequence[float], alpha: float) -> ScanThreshold:
    """The smallest level that keeps the bound.

    Args:
        levels: of each healthy scan the highest threshold at which it still raises an alarm, 0 for none.

    Raises:
        BadValue: alpha is no fraction, or too few scans for it.
    """
    if not 0 < alpha < 1:
        raise BadValue(f"alpha: got {alpha}, expected a fraction between 0 and 1.")
    needed = scans_needed(alpha)
    if len(levels) < needed:
        raise BadValue(
            f"Got {count_text(len(levels), 'healthy scan')} for an alarm rate of {alpha:g}, expected at least {needed}"
            f", or alpha of at least {1 / (len(levels) + 1):.3f}."
        )
    allowed = floor(round(alpha * (len(levels) + 1), 9))  # of the m + 1 ranks above the threshold
    rank = len(levels) + 1 - allowed
    return ScanThreshold(float(np.sort(levels)[rank - 1]), alpha, len(levels), rank)


def rate_given_scans(found: ScanThreshold, level: float = 0.95) -> tuple[float, float]:
    """Between what bounds the true alarm rate lies for `level` of all calibrations with so many scans."""
    from scipy.stats import beta

    above = found.scans + 1 - found.rank
    tail = (1 - level) / 2
    low, high = beta.ppf([tail, 1 - tail], above, found.rank)
    return float(low), float(high)


class VoxelP:
    """p-values of single voxels: how unusual a score is among the brain voxels of healthy scans.

    p(x) = (1 + sum over scans of the share of its voxels with scores of at least x) / (m + 1): a random voxel of a new
    healthy scan has p <= alpha with probability at most alpha, each scan counting as one.

    Args:
        scans: `(V_i,)` scores of each healthy scan's brain voxels, after the chain's filters.
    """

    def __init__(self, scans: Sequence[Scores]) -> None:
        if not scans or min(scan.size for scan in scans) == 0:
            raise ValueError("Got no scan, or one without brain voxels, expected at least one voxel a scan.")
        self.scans = len(scans)
        weights = np.concatenate([np.full(scan.size, 1 / scan.size) for scan in scans])
        scores = np.concatenate(scans).astype(np.float64)
        order = np.argsort(scores, kind="stable")
        self._scores = scores[order]
        # Sum of the weights from each place to the end, and 0 beyond it.
        self._above = np.append(np.cumsum(weights[order][::-1])[::-1], 0.0)

    @property
    def smallest(self) -> float:
        """No p-value is lower."""
        return 1 / (self.scans + 1)

    def __call__(self, scores: Scores) -> NDArray[np.float64]:
        """p of scores of any shape, in [1 / (m + 1), 1]."""
        places = np.searchsorted(self._scores, scores.astype(np.float64), side="left")
        return np.minimum(1.0, (1 + self._above[places]) / (self.scans + 1))


def split_rates(levels: Sequence[float], alpha: float, *, splits: int = 1000, seed: int = 0) -> NDArray[np.float64]:
    """`(splits,)` alarm rates of one half of the scans at the threshold of the other, over random halves.

    Raises:
        BadValue: half of the scans are too few for alpha.
    """
    known = np.asarray(levels, dtype=np.float64)
    rng = np.random.default_rng(seed)
    half = known.size // 2
    rates = np.empty(splits)
    for index in range(splits):
        order = rng.permutation(known.size)
        threshold = scan_threshold(known[order[:half]].tolist(), alpha).threshold
        rates[index] = np.mean(known[order[half:]] > threshold)
    return rates

"""Exact searches over all voxels of a cohort: the best thresholds, and precision against recall."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ranking import halfway
from benchmark.scoring.pooled_voxels import Band, Numbers, Scores, VoxelPool

POINTS = 100  # of a precision-recall curve, evenly in recall
BLOCK = 256  # distinct scores that a search passes over together


class Point(NamedTuple):
    """One of a precision-recall curve."""

    threshold: float
    recall: float
    precision: float


@dataclass(frozen=True)
class RankedPool:
    """The voxels of several cases, ranked together.

    Attributes:
        average_precision: over the voxels of all cases together; NaN without lesion.
        threshold: of the best Dice over these voxels, as `best_dice_of` finds it; NaN without lesion.
        others: such a threshold for each group of cases that was left out, of all other cases.
        curve: of precision against recall, which rises.
    """

    average_precision: float
    threshold: float
    others: tuple[float, ...] = ()
    curve: tuple[Point, ...] = ()


def rank_pool(pool: VoxelPool, left_out: Sequence[NDArray[np.bool_]] = ()) -> RankedPool:
    """Rank the voxels of all cases together.

    Args:
        left_out: `(cases,)` each, the cases of a group; no case is of two groups.
    """
    curve, nobody = _AveragePrecision(pool.total), np.zeros(pool.totals.size, dtype=bool)
    group = sum((number * cases for number, cases in enumerate(left_out, start=1)), start=nobody.astype(np.intp))
    searches = [_BestDice(~cases, float(pool.totals[~cases].sum())) for cases in (nobody, *left_out)]
    for band in pool.bands():
        curve.add(band)
        coarse = _coarse(band, group, len(searches))
        for number, search in enumerate(searches):
            search.add(band, coarse.without(number))
    precision = curve.sum / pool.total if pool.total else np.nan
    whole, *others = (search.threshold(pool) for search in searches)
    return RankedPool(precision, whole, tuple(others), tuple(curve.points))


def best_mean_threshold(pool: VoxelPool) -> float:
    """The highest threshold of the best mean over cases of each case's own Dice; NaN without lesion.

    Means within 1e-12, the rounding of their sums, count as equal. Cases without lesion do not count.
    """
    search = _BestMean(pool.totals)
    for band in pool.bands():
        search.add(band)
    return search.threshold(pool)


@dataclass
class _AveragePrecision:
    """The sum of lesion voxels x precision over falling scores, and points of the curve."""

    total: float
    sum: float = 0.0
    true: int = 0
    predicted: int = 0
    points: list[Point] = field(default_factory=list)

    def add(self, band: Band) -> None:
        """Add a band; only its scores with lesion voxels matter."""
        ends, predicted = band.ends, self.predicted + np.cumsum(band.lesion + band.others)
        inside = np.flatnonzero(band.lesion)
        steps, of_step = np.unique(ends[np.searchsorted(ends, inside)], return_inverse=True)
        found = np.bincount(of_step, band.lesion[inside], minlength=steps.size)
        true = self.true + np.cumsum(found)
        precision = true / predicted[steps]
        if self.total:
            passed = np.floor(POINTS * np.append(self.true, true) / self.total)
            for place in np.flatnonzero(np.diff(passed)).tolist():  # the first score that reaches the next hundredth
                below = float(np.nextafter(band.values[steps[place]], np.float32(-1)))
                self.points.append(Point(below, float(true[place] / self.total), float(precision[place])))
        self.sum += float(np.sum(found * precision))
        self.true, self.predicted = self.true + int(found.sum()), int(predicted[-1])


@dataclass
class _Best:
    """The highest of the best thresholds so far, by the lowest score that is predicted at it, if any."""

    quality: float = -1.0
    lowest: np.float32 | None = None

    def offer(self, values: Scores, quality: Numbers, *, margin: float = 0.0) -> None:
        """Consider falling distinct scores, and the quality of a prediction down to each."""
        positive = values > 0  # a score of 0 is never predicted
        if not positive.any():
            return
        most = float(quality[positive].max())
        if most > self.quality + margin:
            place = int(np.flatnonzero(quality[positive] >= most - margin)[0])
            self.quality, self.lowest = most, values[place]

    def threshold(self, pool: VoxelPool, cases: NDArray[np.bool_]) -> float:
        """Halfway to the next lower score of these cases."""
        return 0.0 if self.lowest is None else halfway(pool.below(self.lowest, cases), self.lowest)


@dataclass(frozen=True)
class _Coarse:
    """Voxels of a band's positive scores, counted by block and group; no score is in two blocks.

    Attributes:
        edges: `(blocks + 1,)` where the blocks begin and end.
        lesion, voxels: `(blocks, groups)`.
    """

    edges: NDArray[np.intp]
    lesion: Numbers
    voxels: Numbers

    def without(self, group: int) -> "_Coarse":
        """Of all groups but one together, `(blocks,)`; of all for group 0, whose cases are never left out."""
        lesion, voxels = (
            counts.sum(axis=1) - (counts[:, group] if group else 0) for counts in (self.lesion, self.voxels)
        )
        return _Coarse(self.edges, lesion, voxels)


def _coarse(band: Band, group: NDArray[np.intp], groups: int) -> _Coarse:
    positive = int(np.searchsorted(-band.values, 0))
    ends = band.part(slice(positive)).ends
    edges = np.unique(np.append(0, ends[BLOCK - 1 :: BLOCK] + 1))
    edges = np.append(edges, positive) if edges[-1] < positive else edges
    block = np.repeat(np.arange(edges.size - 1), np.diff(edges))
    place, size = block * groups + group[band.case[:positive]], (edges.size - 1) * groups
    lesion, voxels = (
        np.bincount(place, counts[:positive], minlength=size).reshape(-1, groups).astype(np.float64)
        for counts in (band.lesion, band.lesion + band.others)
    )
    return _Coarse(edges, lesion, voxels)


@dataclass
class _BestDice:
    """Search for the best Dice; only blocks that may hold it are searched score by score."""

    cases: NDArray[np.bool_]
    total: float
    true: float = 0.0
    predicted: float = 0.0
    found: _Best = field(default_factory=_Best)

    def add(self, band: Band, coarse: _Coarse) -> None:
        true = self.true + np.cumsum(np.append(0, coarse.lesion))
        predicted = self.predicted + np.cumsum(np.append(0, coarse.voxels))
        if self.total:
            reached = max(self.found.quality, float((2 * true / (predicted + self.total))[1:].max(initial=-1)))
            may = 2 * true[1:] / (predicted[:-1] + self.total) >= reached  # all the block's lesion before its others
            bounds = np.flatnonzero(np.diff(may, prepend=False, append=False))
            for first, last in bounds.reshape(-1, 2).tolist():
                self._look(band, slice(*coarse.edges[[first, last]]), true[first], predicted[first])
        self.true, self.predicted = float(true[-1]), float(predicted[-1])

    def _look(self, band: Band, where: slice, true: float, predicted: float) -> None:
        part = band.part(where)
        part = part.part(np.flatnonzero(self.cases[part.case]))
        ends = part.ends if part.values.size else np.zeros(0, dtype=np.intp)
        found, all_found = true + np.cumsum(part.lesion)[ends], predicted + np.cumsum(part.lesion + part.others)[ends]
        self.found.offer(part.values[ends], 2 * found / (all_found + self.total))

    def threshold(self, pool: VoxelPool) -> float:
        return self.found.threshold(pool, self.cases) if self.total else np.nan


@dataclass
class _BestMean:
    """Search for the best mean over cases of each case's Dice."""

    totals: Numbers
    true: NDArray[np.int64] = field(init=False)
    predicted: NDArray[np.int64] = field(init=False)
    dice: Numbers = field(init=False)
    found: _Best = field(default_factory=_Best)

    def __post_init__(self) -> None:
        self.true = np.zeros(self.totals.size, dtype=np.int64)
        self.predicted, self.dice = self.true.copy(), np.zeros(self.totals.size)

    def add(self, band: Band) -> None:
        cases = np.flatnonzero(self.totals > 0)
        mean, changes = float(self.dice[cases].mean()) if cases.size else 0.0, np.zeros(band.values.size)
        numbers = band.case.astype(np.min_scalar_type(self.totals.size))  # 16 bits are sorted without comparing
        by_case = np.argsort(numbers, kind="stable")
        for own in np.split(by_case, np.flatnonzero(np.diff(band.case[by_case])) + 1):
            case = int(band.case[own[0]])
            if self.totals[case]:
                changes[own] = self._changes(case, band.lesion[own], band.others[own])
        if cases.size:
            sums = mean + np.cumsum(changes)[band.ends] / cases.size
            self.found.offer(band.values[band.ends], sums, margin=1e-12)

    def _changes(self, case: int, lesion: NDArray[np.int32], others: NDArray[np.int32]) -> Numbers:
        """By how much the Dice of a case changes at each of its scores."""
        true = self.true[case] + np.cumsum(lesion)
        predicted = self.predicted[case] + np.cumsum(lesion + others)
        dice = 2 * true / (predicted + self.totals[case])
        changes = np.diff(dice, prepend=self.dice[case])
        self.true[case], self.predicted[case], self.dice[case] = true[-1], predicted[-1], dice[-1]
        return changes

    def threshold(self, pool: VoxelPool) -> float:
        cases = np.ones(self.totals.size, dtype=bool)
        return self.found.threshold(pool, cases) if (self.totals > 0).any() else np.nan

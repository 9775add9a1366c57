"""What is searched over all voxels of a cohort, exactly: the best thresholds, and precision against recall."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ranking import halfway
from benchmark.pool import Band, Numbers, Pool, Scores

POINTS = 100  # of a precision-recall curve, evenly in recall


class Point(NamedTuple):
    """One of a precision-recall curve."""

    threshold: float
    recall: float
    precision: float


@dataclass(frozen=True)
class Pooled:
    """What is known of a pool.

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


def pooled(pool: Pool, left_out: Sequence[NDArray[np.bool_]] = ()) -> Pooled:
    """Rank the voxels of all cases together.

    Args:
        left_out: `(cases,)` each, the cases of a group.
    """
    curve, whole = _AveragePrecision(pool.total), _BestDice(pool.total)
    parts = [(~cases, _BestDice(float(pool.totals[~cases].sum()))) for cases in left_out]
    for band in pool.bands():
        curve.add(band)
        whole.add(band)
        for cases, search in parts:
            search.add(band.part(cases[band.case]))
    precision = curve.sum / pool.total if pool.total else np.nan
    return Pooled(precision, whole.threshold, tuple(search.threshold for _, search in parts), tuple(curve.points))


def best_mean_threshold(pool: Pool) -> float:
    """The highest threshold of the best mean over cases of each case's own Dice; NaN without lesion.

    Equal means are told apart down to 1e-12, the rounding of their sums. Cases without lesion do not count.
    """
    search = _BestMean(pool.totals)
    for band in pool.bands():
        search.add(band)
    return search.threshold


@dataclass
class _AveragePrecision:
    """Sum over falling scores of lesion voxels x precision, and some points on the way."""

    total: float
    sum: float = 0.0
    true: int = 0
    predicted: int = 0
    points: list[Point] = field(default_factory=list)

    def add(self, band: Band) -> None:
        ends = band.ends
        values, true = band.values[ends], self.true + np.cumsum(band.lesion)[ends]
        predicted = self.predicted + np.cumsum(band.lesion + band.others)[ends]
        if self.total:
            steps = np.floor(POINTS * np.append(self.true, true) / self.total)
            for place in np.flatnonzero(np.diff(steps)).tolist():  # the first score that reaches the next hundredth
                precision = float(true[place] / predicted[place])
                below = float(np.nextafter(values[place], np.float32(-1)))
                self.points.append(Point(below, float(true[place] / self.total), precision))
        self.sum += float(np.sum(np.diff(true, prepend=self.true) * (true / predicted)))
        self.true, self.predicted = int(true[-1]), int(predicted[-1])


@dataclass
class _Best:
    """The highest of the best thresholds so far, and how far down the search is.

    Attributes:
        lowest: the score predicted at the best threshold; None before there is any positive score.
        open: whether the next lower score is still to come.
    """

    best: float = -1.0
    lowest: np.float32 | None = None
    below: np.float32 = field(default_factory=lambda: np.float32(0))
    open: bool = False

    def offer(self, values: Scores, quality: Numbers, *, margin: float = 0.0) -> None:
        """Falling distinct scores and how good it is to predict down to each."""
        if self.open and values.size:
            self.below, self.open = values[0], False
        positive = values > 0  # a score of 0 is never an alarm
        if not positive.any():
            return
        most = float(quality[positive].max())
        if most > self.best + margin:
            place = int(np.flatnonzero(quality[positive] >= most - margin)[0])
            self.best, self.lowest, self.open = most, values[place], place + 1 == values.size
            self.below = np.float32(0) if self.open else values[place + 1]

    @property
    def value(self) -> float:
        return 0.0 if self.lowest is None else halfway(self.below, self.lowest)


@dataclass
class _BestDice:
    total: float
    true: int = 0
    predicted: int = 0
    found: _Best = field(default_factory=_Best)

    def add(self, band: Band) -> None:
        if not band.values.size:
            return
        ends = band.ends
        true = self.true + np.cumsum(band.lesion)[ends]
        predicted = self.predicted + np.cumsum(band.lesion + band.others)[ends]
        if self.total:
            self.found.offer(band.values[ends], 2 * true / (predicted + self.total))
        self.true, self.predicted = int(true[-1]), int(predicted[-1])

    @property
    def threshold(self) -> float:
        return self.found.value if self.total else np.nan


@dataclass
class _BestMean:
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

    def _changes(self, case: int, lesion: NDArray[np.int64], others: NDArray[np.int64]) -> Numbers:
        """By how much the Dice of a case changes at each of its scores."""
        true = self.true[case] + np.cumsum(lesion)
        predicted = self.predicted[case] + np.cumsum(lesion + others)
        dice = 2 * true / (predicted + self.totals[case])
        changes = np.diff(dice, prepend=self.dice[case])
        self.true[case], self.predicted[case], self.dice[case] = true[-1], predicted[-1], dice[-1]
        return changes

    @property
    def threshold(self) -> float:
        return self.found.value if (self.totals > 0).any() else np.nan

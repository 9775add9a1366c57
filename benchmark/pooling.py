"""What is searched over all voxels of a cohort, exactly, in memory that does not grow with it.

Every case's `Ranking` lies in a file. A `Pool` reads them a band of scores at a time, from the highest down, so
that at no time more than a band is held; sums over the cases are carried from band to band.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ranking import Ranking, halfway

BAND = 500_000  # scores held at once
POINTS = 100  # of a precision-recall curve, evenly in recall
SAMPLES = 64  # scores of each case that the edges of the bands are chosen by
RECORD = np.dtype([("value", np.float32), ("lesion", np.int32), ("others", np.int32)])

Numbers = NDArray[np.float64]
Scores = NDArray[np.float32]


@dataclass(frozen=True)
class Band:
    """The scores of all cases within a range, from the highest down.

    Attributes:
        values: `(n,)` a case's distinct scores; other cases may have the same.
        case: `(n,)` number of the case.
        lesion, others: `(n,)` its voxels of that score.
    """

    values: Scores
    case: NDArray[np.intp]
    lesion: NDArray[np.int64]
    others: NDArray[np.int64]

    @property
    def ends(self) -> NDArray[np.intp]:
        """The last place of each run of equal scores, of whichever cases."""
        return np.flatnonzero(np.append(self.values[1:] != self.values[:-1], True))

    def part(self, where: NDArray[np.bool_]) -> "Band":
        return Band(self.values[where], self.case[where], self.lesion[where], self.others[where])


@dataclass(frozen=True)
class Pool:
    """Cases whose voxels are ranked together.

    Attributes:
        files: a case's ranking each, as `keep` leaves it.
        totals: `(cases,)` lesion voxels of each, missed ones included.
    """

    files: Sequence[Path]
    totals: Numbers

    @property
    def total(self) -> float:
        return float(self.totals.sum())

    def bands(self) -> Iterator[Band]:
        """All scores, from the highest band down; equal scores are in one band."""
        edges = self._edges()
        for high, low in zip([np.inf, *edges], [*edges, -np.inf], strict=True):
            parts = [self._slice(number, low, high) for number in range(len(self.files))]
            case = np.repeat(np.arange(len(parts)), [len(part) for part in parts])
            joined = np.concatenate(parts) if parts else np.zeros(0, dtype=RECORD)
            if joined.size:
                order = _falling(joined["value"])
                lesion, others = (joined[name].astype(np.int64)[order] for name in ("lesion", "others"))
                yield Band(joined["value"][order], case[order], lesion, others)

    def _slice(self, number: int, low: float, high: float) -> NDArray[np.void]:
        """One case's records with low <= value < high."""
        kept = _records(self.files[number])
        begin, end = np.searchsorted(kept["value"], np.array([low, high], dtype=np.float32))
        return np.array(kept[begin:end])

    def _edges(self) -> list[float]:
        """Scores between bands of about `BAND` records, falling."""
        sampled, weights = [np.zeros(0, dtype=np.float32)], [np.zeros(0)]
        for path in self.files:
            kept = _records(path)["value"]
            step = max(1, len(kept) // SAMPLES)
            sampled.append(np.array(kept[::-step]))
            weights.append(np.full(sampled[-1].size, float(step)))
        values, order = np.concatenate(sampled), np.argsort(-np.concatenate(sampled))
        bands = np.cumsum(np.concatenate(weights)[order]) // BAND
        return sorted({float(value) for value in values[order][np.flatnonzero(np.diff(bands)) + 1]}, reverse=True)


def keep(ranking: Ranking, path: Path) -> None:
    """Leave a case's ranking in a file, a record a distinct score."""
    records = np.empty(ranking.values.size, dtype=RECORD)
    records["value"], records["lesion"], records["others"] = ranking.values, ranking.lesion, ranking.others
    records.tofile(path)


def _records(path: Path) -> NDArray[np.void]:
    """A case's records, ascending, read as far as they are asked for."""
    if not path.stat().st_size:
        return np.zeros(0, dtype=RECORD)
    return np.memmap(path, dtype=RECORD, mode="r")


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


def quantiles(pool: Pool, shares: Numbers) -> Numbers:
    """`(S,)` the scores that these shares of all voxels exceed, interpolated linearly as by NumPy.

    Args:
        shares: `(S,)` in [0, 1].
    """
    counts = [_records(path) for path in pool.files]
    voxels = sum(int(part["lesion"].sum() + part["others"].sum()) for part in counts)
    place = (voxels - 1) * shares  # from the highest score down
    whole = np.floor(place).astype(np.intp)
    upper, lower = (_scores_at(pool, np.minimum(at, voxels - 1)) for at in (whole, whole + 1))
    return upper - (upper - lower) * (place - whole)


def _scores_at(pool: Pool, places: NDArray[np.intp]) -> Numbers:
    """`(S,)` the scores at places from the highest down, every voxel being one."""
    found, passed = np.zeros(places.size), 0
    for band in pool.bands():
        ends = passed + np.cumsum(band.lesion + band.others)
        here = (places >= passed) & (places < ends[-1])
        found[here] = band.values[np.searchsorted(ends, places[here], side="right")]
        passed = int(ends[-1])
    return found


def best_mean_threshold(pool: Pool) -> float:
    """The highest threshold of the best mean over cases of each case's own Dice; NaN without lesion.

    Equal means are told apart down to 1e-12, the rounding of their sums. Cases without lesion do not count.
    """
    search = _BestMean(pool.totals)
    for band in pool.bands():
        search.add(band)
    return search.threshold


def _falling(values: Scores) -> NDArray[np.int64]:
    """Places of scores that are not negative from the highest down; whole numbers sort faster than they are ranked."""
    keys = (values.view(np.int32).astype(np.int64) << 32) | np.arange(values.size)
    return (np.sort(keys) & 0xFFFFFFFF)[::-1]


@dataclass
class _AveragePrecision:
    """Sum over falling scores of lesion voxels x precision, and some points on the way."""

    total: float
    sum: float = 0.0
    true: int = 0
    predicted: int = 0
    points: list[Point] = field(default_factory=list)

    def add(self, band: Band) -> None:
        values = band.values[band.ends]
        true = self.true + np.cumsum(band.lesion)[band.ends]
        predicted = self.predicted + np.cumsum(band.lesion + band.others)[band.ends]
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
        true = self.true + np.cumsum(band.lesion)[band.ends]
        predicted = self.predicted + np.cumsum(band.lesion + band.others)[band.ends]
        if self.total:
            self.found.offer(band.values[band.ends], 2 * true / (predicted + self.total))
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
        by_case = np.argsort(band.case, kind="stable")
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

"""Pool: the voxels of many cases ranked together, in memory that does not grow with their number.

Every case's `Ranking` lies in a file. A `Pool` reads them a band of scores at a time, from the highest down, so
that at no time more than a band is held; sums over the cases are carried from band to band.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ranking import Ranking

BAND = 500_000  # scores held at once
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
        kept = np.flatnonzero(where)  # looked for once for all four
        return Band(self.values[kept], self.case[kept], self.lesion[kept], self.others[kept])


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


def _falling(values: Scores) -> NDArray[np.int64]:
    """Places of scores that are not negative from the highest down; whole numbers sort faster than they are ranked."""
    keys = (values.view(np.int32).astype(np.int64) << 32) | np.arange(values.size)
    return (np.sort(keys) & 0xFFFFFFFF)[::-1]

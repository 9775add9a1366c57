"""VoxelPool: the voxels of many cases ranked together, in memory that does not grow with their number.

Each case's `Ranking` lies in a file. A `VoxelPool` reads them one band of scores at a time, from the highest down, and
holds no more than a band in memory; sums over the cases are carried from band to band.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ranking import Ranking

BAND = 500_000  # scores held at once
SAMPLES = 64  # scores of each case from which the edges of the bands are estimated

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
    lesion: NDArray[np.int32]
    others: NDArray[np.int32]

    @property
    def ends(self) -> NDArray[np.intp]:
        """The last place of each run of equal scores, of one case or several."""
        return np.flatnonzero(np.append(self.values[1:] != self.values[:-1], True))

    def part(self, where: slice | NDArray[np.intp]) -> "Band":
        return Band(self.values[where], self.case[where], self.lesion[where], self.others[where])


@dataclass(frozen=True)
class VoxelPool:
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
            case = np.repeat(np.arange(len(parts)), [part.shape[1] for part in parts])
            joined = np.concatenate([np.zeros((3, 0), dtype=np.int32), *parts], axis=1)
            if joined.size:
                order = _falling(joined[0])
                yield Band(joined[0].take(order).view(np.float32), case[order], joined[1][order], joined[2][order])

    def rankings(self) -> Iterator[Ranking]:
        """Each case's voxels by themselves."""
        for path, total in zip(self.files, self.totals.tolist(), strict=True):
            values, lesion, others = _kept(path)
            yield Ranking(values.view(np.float32), lesion, others, total - float(lesion.sum()))

    def below(self, score: np.float32, cases: NDArray[np.bool_]) -> np.float32:
        """The next lower score of some of the cases; 0 where there is none."""
        lowest = np.float32(0)
        for path in (path for path, wanted in zip(self.files, cases.tolist(), strict=True) if wanted):
            values = _kept(path)[0].view(np.float32)
            place = int(np.searchsorted(values, score))
            lowest = max(lowest, values[place - 1]) if place else lowest
        return lowest

    def _slice(self, number: int, low: float, high: float) -> NDArray[np.int32]:
        """`(3, n)` what is kept of one case's scores with low <= score < high."""
        kept = _kept(self.files[number])
        begin, end = np.searchsorted(kept[0].view(np.float32), np.array([low, high], dtype=np.float32))
        return np.array(kept[:, begin:end])  # a copy: the file is not mapped while the others' scores are read

    def _edges(self) -> list[float]:
        """Scores between bands of about `BAND` records, falling."""
        sampled, weights = [np.zeros(0, dtype=np.float32)], [np.zeros(0)]
        for path in self.files:
            kept = _kept(path)[0].view(np.float32)
            step = max(1, len(kept) // SAMPLES)
            sampled.append(np.array(kept[::-step]))
            weights.append(np.full(sampled[-1].size, float(step)))
        values, order = np.concatenate(sampled), np.argsort(-np.concatenate(sampled))
        bands = np.cumsum(np.concatenate(weights)[order]) // BAND
        return sorted({float(value) for value in values[order][np.flatnonzero(np.diff(bands)) + 1]}, reverse=True)


def keep(ranking: Ranking, path: Path) -> None:
    """Write a case's ranking to a file: its distinct scores, and how many voxels of lesion and background have each."""
    np.stack([ranking.values.view(np.int32), ranking.lesion, ranking.others], dtype=np.int32, casting="unsafe").tofile(
        path
    )


def _kept(path: Path) -> NDArray[np.int32]:
    """`(3, K)` a case's scores by their bits, ascending, and their counts; memory-mapped."""
    if not path.stat().st_size:
        return np.zeros((3, 0), dtype=np.int32)
    return np.memmap(path, dtype=np.int32, mode="r").reshape(3, -1)


def quantiles(pool: VoxelPool, shares: Numbers) -> Numbers:
    """`(S,)` the scores that these shares of all voxels exceed, interpolated linearly as by NumPy.

    Args:
        shares: `(S,)` in [0, 1].
    """
    voxels = sum(int(_kept(path)[1:].sum()) for path in pool.files)
    place = (voxels - 1) * shares  # from the highest score down
    whole = np.floor(place).astype(np.intp)
    upper, lower = (_scores_at(pool, np.minimum(at, voxels - 1)) for at in (whole, whole + 1))
    return upper - (upper - lower) * (place - whole)


def _scores_at(pool: VoxelPool, places: NDArray[np.intp]) -> Numbers:
    """`(S,)` the scores at places from the highest down, every voxel being one."""
    found, passed = np.zeros(places.size), 0
    for band in pool.bands():
        ends = passed + np.cumsum(band.lesion + band.others)
        here = (places >= passed) & (places < ends[-1])
        found[here] = band.values[np.searchsorted(ends, places[here], side="right")]
        passed = int(ends[-1])
    return found


def _falling(bits: NDArray[np.int32]) -> NDArray[np.int64]:
    """Places of scores that are not negative from the highest down; whole numbers sort faster than they are ranked."""
    keys = (bits.astype(np.int64) << 32) | np.arange(bits.size)
    return (np.sort(keys) & 0xFFFFFFFF)[::-1]

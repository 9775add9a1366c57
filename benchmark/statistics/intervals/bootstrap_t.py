"""Bootstrap-t: the interval of a mean over patients, of one method or of all pairs of methods at once.

All means over n patients share the same resamples, so that the means and variances of all resamples are products of
matrices. These differ from sums over each resample by rounding alone. An end of an interval is the value of one
resample: those so close to it that rounding may have changed their order are summed again one by one. The intervals of
many means are thus, to the last digit, those that each mean has alone.

References:
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), 12.5.
"""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
Places = NDArray[np.intp]
ROUNDS = 4999
BLOCK = 250_000  # values held at once
CLOSE = 1e-6
"""Relative distance beyond which rounding changes no order of two resamples that vary `CLEARLY`."""
CLEARLY = 1e-4
"""Share of the sample's variance that a resample's has to exceed: below, products of matrices lose its digits."""


@dataclass(frozen=True)
class Resamples:
    """Patients drawn with replacement.

    Attributes:
        drawn: `(rounds, n)` their places.
    """

    drawn: NDArray[np.uint32]

    @classmethod
    def of(cls, n: int, rng: np.random.Generator, rounds: int = ROUNDS) -> "Resamples":
        return cls(rng.integers(0, n, (rounds, n), dtype=np.uint32))

    @cached_property
    def counts(self) -> Values:
        """`(n, rounds)` how often each patient was drawn."""
        rounds, n = self.drawn.shape
        cells = self.drawn + np.arange(rounds)[:, None] * n
        return np.bincount(cells.ravel(), minlength=rounds * n).reshape(rounds, n).T.astype(np.float64)


@lru_cache(maxsize=2)
def seeded_resamples(n: int, seed: int) -> Resamples:
    """The resamples of n patients under a seed; kept, since the next mean is often over as many."""
    return Resamples.of(n, np.random.default_rng(seed))


def bootstrap_t(values: Values, resamples: Resamples, *, alpha: float) -> tuple[Values, Values]:
    """The (1 - alpha) interval of the mean of `(..., n)` independent values.

    Returns:
        Low and high, each `(...)`; NaN where values, or too many resamples of them, do not differ at all.
    """
    n = values.shape[-1]
    lines = values.reshape(-1, n)
    most = max(1, BLOCK // len(resamples.drawn))
    blocks = [_block(lines[start : start + most], resamples, alpha) for start in range(0, len(lines), most)]
    low, high = np.concatenate(blocks, axis=1) if blocks else np.empty((2, 0))
    return low.reshape(values.shape[:-1]), high.reshape(values.shape[:-1])


def _block(values: Values, resamples: Resamples, alpha: float) -> Values:
    """`(2, m)` ends of the intervals of `(m, n)` values."""
    mean, se = values.mean(axis=1), values.std(axis=1, ddof=1) / np.sqrt(values.shape[1])
    t = _studentised(values, resamples)
    ordered, levels = np.sort(t, axis=1), (1 - alpha / 2, alpha / 2)
    places = np.quantile(np.arange(t.shape[1]), levels, method="inverted_cdf")
    ends = mean - se * np.stack([_exactly(ordered[:, place], place, t, values, resamples) for place in places])
    # A resample of equal values is infinitely far off; enough of them reach the quantile, and there is no interval.
    return np.where((se > 0) & np.isfinite(ends).all(axis=0), ends, np.nan)


def _studentised(values: Values, resamples: Resamples) -> Values:
    """`(m, rounds)` t: by how many standard errors the mean of each resample is off."""
    n = values.shape[1]
    centred = values - values.mean(axis=1, keepdims=True)
    off, squares = centred @ resamples.counts / n, centred**2 @ resamples.counts
    variance = (squares - n * off**2) / (n - 1)
    unclear = variance <= CLEARLY * values.var(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = off * np.sqrt(n) / np.sqrt(variance)
    t[unclear] = _alone(values, resamples, *np.nonzero(unclear))
    return np.asarray(t)


def _exactly(found: Values, place: int, t: Values, values: Values, resamples: Resamples) -> Values:
    """`(m,)` the t at this place in the order of each line, of resamples that are summed one by one.

    Args:
        found: `(m,)` what stands there in the order of `t`, which is `(m, rounds)` and exact but for rounding.
    """
    reach = np.where(np.isfinite(found), CLOSE * (1 + np.abs(found)), np.nan)[:, None]
    with np.errstate(invalid="ignore"):  # what is infinite was summed by itself before
        gap = t - found[:, None]
        lines, columns = np.nonzero(np.abs(gap) <= reach)
        below = (gap < -reach).sum(axis=1)
    exact = _alone(values, resamples, lines, columns)
    exact = exact[np.lexsort((exact, lines))]
    known = np.isfinite(found)
    first = np.searchsorted(lines, np.flatnonzero(known))
    summed = found.copy()
    summed[known] = exact[first + place - below[known]]
    return summed


def _alone(values: Values, resamples: Resamples, lines: Places, columns: Places) -> Values:
    """`(k,)` the t of some resamples, each of one line of values, summed one by one."""
    n = values.shape[1]
    centred, spread = values - values.mean(axis=1, keepdims=True), values.var(axis=1)
    parts = np.array_split(np.arange(lines.size), 1 + lines.size * n // BLOCK)
    return np.concatenate([
        _summed(centred[lines[part, None], resamples.drawn[columns[part]]], spread[lines[part]]) for part in parts
    ])  # fmt: skip


def _summed(drawn: Values, spread: Values) -> Values:
    """`(k,)` the t of `(k, n)` drawn values; `spread` is the variance of those that they were drawn from."""
    n = drawn.shape[1]
    off = drawn.mean(axis=1)
    variance = (np.einsum("ij,ij->i", drawn, drawn) - n * off**2) / (n - 1)
    # What rounding leaves of no spread at all is none.
    variance = np.where(variance > 1e-12 * spread, variance, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = off * np.sqrt(n) / np.sqrt(variance)
    return np.where(np.isnan(t), 0.0, t)

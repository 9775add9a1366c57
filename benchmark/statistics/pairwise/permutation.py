"""The test of *this trained model*: paired sign flips over patients, and max-T step-down over many pairs at once.

If two methods differ by nothing, a patient's difference could as well have had the other sign. One sign a patient is
drawn for all pairs together, so that their correlation counts: pairs that say nearly the same cost little.

References:
    Westfall and Young, Resampling-Based Multiple Testing (1993), algorithm 2.8. Romano and Wolf, JASA 100 (2005)
    94-108. Phipson and Smyth, Stat Appl Genet Mol Biol 9 (2010) 39, for p-values that are never 0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import ceil, comb

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
EXACT_UP_TO = 14
"""Patients whose 2 ** (n - 1) different flips are all gone through."""
FEWEST_ROUNDS, MOST_ROUNDS = 9_999, 49_999
REACHED = 1e-9
"""By how little, relatively, a flip may fall short of the observed sum to have reached it; the observed one has."""
BLOCK = 2_000_000  # signs held at once
PAIRS_AT_ONCE, ROUNDS_AT_ONCE = 128, 1_000
"""How many pairs and flips are computed together: as many as a processor's cache holds."""


@dataclass(frozen=True)
class SignFlips:
    """Of m pairs.

    Attributes:
        p: `(m,)` of each pair by itself, two-sided.
        adjusted: `(m,)` max-T step-down; all those up to alpha together have a family-wise error of alpha.
        rounds: how many flips were looked at.
        exact: whether these were all there are.
    """

    p: Values
    adjusted: Values
    rounds: int
    exact: bool


def rounds_needed(comparisons: int, alpha: float) -> int:
    """So many that a p-value can be a tenth of what even Bonferroni's correction would ask of it, up to a bound.

    At the bound a p-value of 0.05 has a standard error of 0.001; max-T, unlike Bonferroni, asks for no smaller ones.
    """
    return min(max(FEWEST_ROUNDS, ceil(10 * comparisons / alpha) - 1), MOST_ROUNDS)


def sign_flips(
    differences: Values,
    *,
    seed: int = 0,
    alpha: float = 0.05,
    rounds: int | None = None,
    exact_up_to: int = EXACT_UP_TO,
) -> SignFlips:
    """Test the mean of each of m columns for 0.

    Args:
        differences: `(n, m)`, a line a patient and a column a pair; NaN where a pair lacks a patient.
        rounds: default: as many as the correction needs; ignored where the test is exact.
    """
    n, pairs = differences.shape
    known = ~np.isnan(differences)
    filled = np.where(known, differences, 0.0)
    of, observed = _Statistic.of(filled, known), filled.sum(axis=0)
    order = np.argsort(-_squared_t(of.shares(observed[:, None])[:, 0], of.counts), kind="stable")
    exact = n <= exact_up_to
    wanted = rounds or rounds_needed(pairs, alpha)
    blocks = _all_signs(n) if exact else _random_signs(n, wanted, np.random.default_rng(seed))
    alone, together, done = np.zeros(pairs), np.zeros(pairs), 0
    rising = order[::-1]  # the least significant first
    near, lines = of.near(observed)[rising, None], np.ascontiguousarray(filled.T[rising])
    for signs in blocks:
        for few in np.array_split(signs, ceil(len(signs) / ROUNDS_AT_ONCE)):
            part, largest = few.T.astype(np.float64) * 2 - 1, np.zeros(len(few))  # (n, rounds)
            for begin in range(0, pairs, PAIRS_AT_ONCE):
                own = slice(begin, begin + PAIRS_AT_ONCE)
                flipped = of.at(rising[own], lines[own] @ part)
                alone[own] += np.count_nonzero(flipped >= near[own], axis=1)
                for line in flipped:  # the largest among a pair and all that are less significant than it
                    largest = np.maximum(largest, line, out=line)
                together[own] += np.count_nonzero(flipped >= near[own], axis=1)
        done += len(signs)
    alone[rising], together = alone.copy(), together[::-1]
    extra = 0 if exact else 1
    adjusted = np.empty(pairs)
    adjusted[order] = np.maximum.accumulate((together + extra) / (done + extra))
    return SignFlips((alone + extra) / (done + extra), adjusted, done, exact)


@dataclass(frozen=True)
class _Statistic:
    """By what flips of m pairs are ordered: the share of a squared sum in its largest value, or t squared.

    Flips leave the sum of squares as it is, so that t squared is (n - 1) share / (1 - share). Where all pairs have
    equally many patients n, the share gives the same order.

    Attributes:
        counts: `(m,)` patients.
        most: `(m,)` the largest value of a squared sum; infinite where all values are 0, whose share is 0.
        equal: whether all pairs have equally many patients, and at least two.
    """

    counts: Values
    most: Values
    equal: bool

    @classmethod
    def of(cls, filled: Values, known: NDArray[np.bool_]) -> "_Statistic":
        counts, squares = known.sum(axis=0).astype(np.float64), (filled**2).sum(axis=0)
        equal = counts.size > 0 and bool(1 < counts.min() == counts.max())
        return cls(counts, np.where(squares == 0, np.inf, counts * squares), equal)

    def shares(self, sums: Values) -> Values:
        """`(m, k)` from k sums of each pair."""
        return np.minimum(sums**2 / self.most[:, None], 1.0)

    def near(self, sums: Values) -> Values:
        """`(m,)` from where on a flip counts as having reached these sums, one of each pair.

        The share is lowered by `REACHED`: where differences hardly vary, t squared grows beyond every bound, and its
        rounding error with it.
        """
        near = self.shares(sums[:, None])[:, 0] * (1 - REACHED)
        return near if self.equal else _squared_t(near, self.counts)

    def at(self, pairs: NDArray[np.intp], sums: Values) -> Values:
        """`(p, k)` the statistic of k sums of each of some pairs; the sums are overwritten."""
        shares = np.square(sums, out=sums)
        shares /= self.most[pairs, None]
        return shares if self.equal else _squared_t(np.minimum(shares, 1.0), self.counts[pairs, None])


def _squared_t(shares: Values, counts: Values) -> Values:
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.maximum(counts - 1, 0) * shares / (1 - shares)
    return np.minimum(np.where(shares == 0, 0.0, t), np.finfo(np.float64).max)


def _all_signs(n: int) -> Iterator[NDArray[np.int8]]:
    """Every flip but for the mirror images, which have the same |t|: 1 where a sign stays, else 0."""
    codes = np.arange(2 ** (n - 1))[:, None]
    yield (~codes >> np.arange(n) & 1).astype(np.int8)


def _random_signs(n: int, rounds: int, rng: np.random.Generator) -> Iterator[NDArray[np.int8]]:
    most = max(1, BLOCK // n)
    for start in range(0, rounds, most):
        yield rng.integers(0, 2, (min(most, rounds - start), n), dtype=np.int8)


PUBLISHED_ROUNDS = 10_000
ROUNDED = 1e-14  # what sums of doubles may be off by, relative to the largest


def unpaired_permutation_p(a: Values, b: Values, *, seed: int = 0, rounds: int = PUBLISHED_ROUNDS) -> Values:
    """Two-sided p-values of differences of two means under random relabelling, as published; for comparison only.

    It takes methods that were run on the same patients for methods with nothing in common. All pairs are relabelled
    alike, each as `scipy.stats.permutation_test` does it alone.

    Args:
        a, b: `(n, ...)` and `(m, ...)`, a column a pair, without NaN.
        rounds: of relabelling; all of them where there are no more.

    Returns:
        `(...)`.
    """
    shares, exact = _relabellings(len(a), len(b), rounds, seed)
    values = np.concatenate([a, b]).reshape(len(a) + len(b), -1)
    enough = np.abs(shares[0] @ values) * (1 - REACHED) - ROUNDED * np.abs(values).max(axis=0)
    reached, extra = np.zeros(values.shape[1]), 0 if exact else 1
    for begin in range(0, values.shape[1], most := max(1, BLOCK // (4 * len(shares)))):
        gaps = shares[1:] @ values[:, begin : begin + most]
        np.abs(gaps, out=gaps)
        reached[begin : begin + most] = (gaps >= enough[begin : begin + most]).sum(axis=0)
    return np.asarray(((reached + extra) / (len(shares) - 1 + extra)).reshape(a.shape[1:]))


def _relabellings(n: int, m: int, rounds: int, seed: int) -> tuple[Values, bool]:
    """The weight of each of n + m values in the difference of two means: as labelled, then a line a relabelling.

    Returns:
        `(1 + relabellings, n + m)`, and whether these are all there are.
    """
    exact = comb(n + m, n) <= rounds
    if exact:
        firsts = np.array(list(combinations(range(n + m), n)), dtype=np.intp)
    else:
        rng = np.random.default_rng(seed)
        firsts = np.empty((rounds, n), dtype=np.intp)
        for line in firsts:
            line[:] = rng.permutation(n + m)[:n]
    shares = np.full((1 + len(firsts), n + m), -1 / m)
    shares[0, :n] = 1 / n
    np.put_along_axis(shares[1:], firsts, 1 / n, axis=1)
    return shares, exact

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
AT_ONCE = 200_000  # statistics computed at once, which a processor's cache holds


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
    observed, near = (_squared_t(filled.sum(axis=0), filled, known, short) for short in (0.0, REACHED))
    order = np.argsort(-observed, kind="stable")
    exact = n <= exact_up_to
    wanted = rounds or rounds_needed(pairs, alpha)
    blocks = _all_signs(n) if exact else _random_signs(n, wanted, np.random.default_rng(seed))
    alone, together, done = np.zeros(pairs), np.zeros(pairs), 0
    rising = order[::-1]  # the least significant first
    filled, known, near = filled[:, rising], known[:, rising], near[rising]
    for signs in blocks:
        for part in np.array_split(signs, ceil(len(signs) * pairs / AT_ONCE)):
            flipped = _squared_t(part @ filled, filled, known)
            alone += (flipped >= near).sum(axis=0)
            # The largest among a pair and all that are less significant than it.
            together += (np.maximum.accumulate(flipped, axis=1) >= near).sum(axis=0)
        done += len(signs)
    alone[rising], together = alone.copy(), together[::-1]
    extra = 0 if exact else 1
    adjusted = np.empty(pairs)
    adjusted[order] = np.maximum.accumulate((together + extra) / (done + extra))
    return SignFlips((alone + extra) / (done + extra), adjusted, done, exact)


def _squared_t(sums: Values, filled: Values, known: NDArray[np.bool_], short: float = 0.0) -> Values:
    """t squared of each column from its sum, since flips leave the sum of squares as it is; 0 where all are 0.

    Args:
        short: by how much the share of the sum in its largest value is taken for less, relatively: t squared grows
            beyond every bound where differences hardly vary, and what rounding does to it with it.
    """
    count, squares = known.sum(axis=0), (filled**2).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.minimum(sums**2 / (count * squares), 1.0) * (1 - short)
        t = np.maximum(count - 1, 0) * share / (1 - share)
    t[..., squares == 0] = 0.0
    return np.minimum(t, np.finfo(np.float64).max)


def _all_signs(n: int) -> Iterator[Values]:
    """Every flip but for the mirror images, which have the same |t|."""
    codes = np.arange(2 ** (n - 1))[:, None]
    yield (codes >> np.arange(n) & 1).astype(np.float64) * -2 + 1


def _random_signs(n: int, rounds: int, rng: np.random.Generator) -> Iterator[Values]:
    most = max(1, BLOCK // n)
    for start in range(0, rounds, most):
        size = (min(most, rounds - start), n)
        yield rng.integers(0, 2, size, dtype=np.int8).astype(np.float64) * 2 - 1


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
    for begin in range(0, values.shape[1], most := max(1, BLOCK // len(shares))):
        gaps = np.abs(shares[1:] @ values[:, begin : begin + most])
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
        firsts = np.array([rng.permutation(n + m)[:n] for _ in range(rounds)])
    shares = np.full((1 + len(firsts), n + m), -1 / m)
    shares[0, :n] = 1 / n
    np.put_along_axis(shares[1:], firsts, 1 / n, axis=1)
    return shares, exact

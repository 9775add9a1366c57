"""Interval: a mean with its confidence interval, for each of the two questions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import METRICS
from benchmark.statistics.intervals.coverage import measured_coverage
from benchmark.statistics.intervals.crossed_effects import crossed_mean
from benchmark.statistics.panel import FEWEST_PATIENTS, FEWEST_SEEDS, LOGGED, TRAINING_PROCEDURE, Question
from datasets.words import count_text

Values = NDArray[np.float64]
Places = NDArray[np.intp]
Of = Literal["mean", "difference"]


@dataclass(frozen=True)
class Interval:
    """A mean and where it may lie, within the bounds of its metric.

    Attributes:
        low, high: NaN where there is no interval, for the reason `why_none`.
        method: how it was made; "" without one.
        n, s: patients and training seeds.
        coverage: how often intervals made like this held the truth in simulations of about this size; NaN if unknown.
    """

    mean: float
    low: float
    high: float
    level: float
    question: Question
    method: str
    n: int
    s: int
    coverage: float
    why_none: str = ""


def limits(metric: str, of: Of) -> tuple[float, float]:
    """The lowest and highest mean that a metric, or the difference of two methods under it, can have."""
    if metric in LOGGED:
        return -inf, inf
    low, high = METRICS[metric].range
    return (low, high) if of == "mean" else (low - high, high - low)


SPARSE = 0.1


def is_sparse(values: Values) -> bool:
    """Whether few of `(n,)` values differ from the rest by so much that most of the variance is theirs.

    Then the typical distance from the median is under a tenth of the standard deviation (of a normal one it is 0.67).
    """
    spread = values.std()
    return bool(spread > 0 and np.median(np.abs(values - np.median(values))) < SPARSE * spread)


def interval(
    values: Values,
    question: Question,
    of: Of,
    *,
    alpha: float,
    within: tuple[float, float] = (-inf, inf),
    seed: int = 0,
) -> Interval:
    """The mean over `(n, s)` patients x training seeds, complete.

    *This trained model*: seeds are averaged and patients drawn anew (bootstrap-t). *This training procedure*: patients
    and seeds are drawn anew (ANOVA moments, Satterthwaite's t).

    Args:
        within: `limits` of what is averaged; what of an interval lies beyond is cut off, since no mean lies there.
    """
    n, s = values.shape
    mean = float(values.mean()) if n else np.nan
    why = _why_none(values, question)
    if why:
        return Interval(mean, np.nan, np.nan, 1 - alpha, question, "", n, s, np.nan, why)
    if question == TRAINING_PROCEDURE:
        low, high = map(float, satterthwaite_interval(values, alpha=alpha))
        method = "ANOVA moments, Satterthwaite t"
    else:
        low, high = bootstrap_t(values.mean(axis=1), alpha=alpha, resamples=_resamples_of(n, seed))
        method = "bootstrap-t"
    why = TOO_ALIKE if np.isnan(low) else ""
    sparse = of == "difference" and is_sparse(values.mean(axis=1))
    coverage = measured_coverage(question, "sparse difference" if sparse else of, n, s)
    low, high = np.clip((low, high), *within).tolist()
    return Interval(mean, low, high, 1 - alpha, question, method, n, s, coverage, why)


def satterthwaite_interval(values: Values, *, alpha: float) -> tuple[Values, Values]:
    """Low and high, each `(...)`, of the mean of `(..., n, s)`; NaN where nothing varies."""
    from scipy.stats import t

    found = crossed_mean(values)
    reach = found.se * t.isf(alpha / 2, found.df)
    return found.mean - reach, found.mean + reach


TOO_ALIKE = "too few different values"
ROUNDING = 1e-12  # relative: what is left of no spread


def _why_none(values: Values, question: Question) -> str:
    n, s = values.shape
    if n < FEWEST_PATIENTS:
        return f"{count_text(n, 'patient')}, an interval needs {FEWEST_PATIENTS}"
    if question == TRAINING_PROCEDURE and s < FEWEST_SEEDS:
        return f"{count_text(s, 'training seed')}, a training procedure needs {FEWEST_SEEDS}"
    return TOO_ALIKE if values.std() <= ROUNDING * np.abs(values).max() else ""


ROUNDS = 4999


def bootstrap_t(values: Values, *, alpha: float, resamples: Iterable[Places]) -> tuple[float, float]:
    """The (1 - alpha) interval of the mean of `(n,)` independent values.

    Args:
        resamples: as `draw_resamples` gives them.

    Returns:
        Low and high; NaN where values, or too many resamples of them, do not differ at all.
    """
    n = values.size
    mean, se = values.mean(), values.std(ddof=1) / np.sqrt(n)
    if se == 0:
        return np.nan, np.nan
    studentised = np.concatenate([_studentised(values, places) for places in resamples])
    # A resample of equal values is infinitely far off; enough of them reach the quantile, and there is no interval.
    low, high = np.quantile(studentised, [1 - alpha / 2, alpha / 2], method="inverted_cdf")
    ends = mean - se * np.array([low, high])
    return (float(ends[0]), float(ends[1])) if np.isfinite(ends).all() else (np.nan, np.nan)


def draw_resamples(n: int, rng: np.random.Generator, rounds: int = ROUNDS) -> Iterator[Places]:
    """Which of n values each resample has, `(some rounds, n)` at a time."""
    for size in _blocks(n, rounds):
        yield rng.integers(0, n, (size, n), dtype=np.uint32).astype(np.intp)


@lru_cache(maxsize=1)  # all means over as many patients are resampled alike
def _resamples_of(n: int, seed: int) -> tuple[Places, ...]:
    return tuple(draw_resamples(n, np.random.default_rng(seed)))


def _studentised(values: Values, places: Places) -> Values:
    n = values.size
    drawn = (values - values.mean())[places]
    off = drawn.mean(axis=1)
    variance = (np.einsum("ij,ij->i", drawn, drawn) - n * off**2) / (n - 1)
    # What rounding leaves of no spread at all is none.
    spread = np.sqrt(np.where(variance > 1e-12 * values.var(), variance, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = off * np.sqrt(n) / spread
    return np.where(np.isnan(t), 0.0, t)


def _blocks(n: int, rounds: int) -> list[int]:
    """Rounds at a time, so that no array has more than about a million values."""
    most = max(1, 1_000_000 // n)
    return [min(most, rounds - start) for start in range(0, rounds, most)]


EXACT = "exact (Clopper-Pearson)"


def exact_interval(count: float, n: int, *, alpha: float) -> tuple[float, float]:
    """The (1 - alpha) interval of count / n; it holds the truth at least that often.

    Args:
        count: need not be whole: of people whose values are means over training seeds the sum. Their spread is at
            most that of a yes or no, so that the interval is too wide rather than too narrow.
        n: with 0 nothing is known: (0, 1).

    References:
        Clopper and Pearson, Biometrika 26 (1934) 404-413.

    Examples:
        >>> low, high = exact_interval(0, 30, alpha=0.05)
        >>> low, round(high, 3)
        (0.0, 0.116)
    """
    from scipy.stats import beta

    low = 0.0 if count <= 0 else float(beta.ppf(alpha / 2, count, n - count + 1))
    high = 1.0 if count >= n else float(beta.ppf(1 - alpha / 2, count + 1, n - count))
    return low, high

"""Interval: a mean with its confidence interval, for each of the two questions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import METRICS
from benchmark.statistics.intervals.bootstrap_t import bootstrap_t, seeded_resamples
from benchmark.statistics.intervals.coverage import measured_coverage
from benchmark.statistics.intervals.crossed_effects import crossed_mean
from benchmark.statistics.panel import FEWEST_PATIENTS, FEWEST_SEEDS, LOGGED, TRAINING_PROCEDURE, Question
from datasets.words import count_text

Values = NDArray[np.float64]
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


def is_sparse(values: Values) -> NDArray[np.bool_]:
    """Whether few of `(..., n)` values differ from the rest by so much that most of the variance is theirs.

    Then the typical distance from the median is under a tenth of the standard deviation (of a normal one it is 0.67).
    """
    spread = values.std(axis=-1)
    distance = np.abs(values - np.median(values, axis=-1, keepdims=True))
    return np.asarray((spread > 0) & (np.median(distance, axis=-1) < SPARSE * spread))


def interval(
    values: Values,
    question: Question,
    of: Of,
    *,
    alpha: float,
    within: tuple[float, float] = (-inf, inf),
    seed: int = 0,
) -> Interval:
    """The mean over `(n, s)` patients x training seeds, complete; see `intervals`."""
    return intervals([values], question, of, alpha=alpha, within=within, seed=seed)[0]


def intervals(
    panels: Sequence[Values],
    question: Question,
    of: Of,
    *,
    alpha: float,
    within: tuple[float, float] = (-inf, inf),
    seed: int = 0,
) -> list[Interval]:
    """The mean of each of many complete `(n, s)` patients x training seeds, to the last digit what each alone gives.

    *This trained model*: seeds are averaged and patients drawn anew (bootstrap-t). *This training procedure*: patients
    and seeds are drawn anew (ANOVA moments, Satterthwaite's t).

    Args:
        within: `limits` of what is averaged; what of an interval lies beyond is cut off, since no mean lies there.
    """
    found = [_without(values, question, alpha, _why_none(values, question)) for values in panels]
    for places in alike(panels, [place for place, one in enumerate(found) if not one.why_none]):
        n, s = panels[places[0]].shape
        values = np.stack([panels[place] for place in places])  # (m, n, s)
        by_patient = values.mean(axis=2)
        if question == TRAINING_PROCEDURE:
            low, high = satterthwaite_interval(values, alpha=alpha)
            method = "ANOVA moments, Satterthwaite t"
        else:
            low, high = bootstrap_t(by_patient, seeded_resamples(n, seed), alpha=alpha)
            method = "bootstrap-t"
        sparse = is_sparse(by_patient) if of == "difference" else np.zeros(len(places), dtype=bool)
        coverage = np.where(sparse, *(measured_coverage(question, name, n, s) for name in ("sparse difference", of)))
        ends = np.stack([*np.clip((low, high), *within), coverage], axis=1)
        for place, (start, end, covered) in zip(places, ends.tolist(), strict=True):
            found[place] = replace(
                found[place], low=start, high=end, method=method, coverage=covered,
                why_none=TOO_ALIKE if np.isnan(start) else "",
            )  # fmt: skip
    return found


def alike(values: Sequence[Values], chosen: Iterable[int]) -> Iterator[list[int]]:
    """Places of the chosen ones that can be stacked: of one shape and one memory layout, which fixes rounding."""
    groups = defaultdict[tuple[int, ...], list[int]](list)
    for place in chosen:
        groups[values[place].shape + values[place].strides].append(place)
    yield from groups.values()


def _without(values: Values, question: Question, alpha: float, why: str) -> Interval:
    """The mean without an interval: `why` there is none, or "" if it is still to be made."""
    n, s = values.shape
    mean = float(values.mean()) if n else np.nan
    return Interval(mean, np.nan, np.nan, 1 - alpha, question, "", n, s, np.nan, why)


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

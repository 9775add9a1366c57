"""Interval: a mean with its confidence interval, for each of the two questions."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.intervals.bootstrap import bootstrap_t
from benchmark.statistics.intervals.coverage import measured_coverage
from benchmark.statistics.intervals.crossed_effects import crossed_mean
from benchmark.statistics.question import FEWEST_PATIENTS, FEWEST_SEEDS, Question

Values = NDArray[np.float64]
Of = Literal["mean", "difference"]


@dataclass(frozen=True)
class Interval:
    """A mean and where it may lie.

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


def interval(values: Values, question: Question, of: Of, *, alpha: float, seed: int = 0) -> Interval:
    """The mean over `(n, s)` patients x training seeds, complete.

    *These weights*: seeds are averaged and patients drawn anew (bootstrap-t). *This recipe*: patients and seeds are
    drawn anew (ANOVA moments, Satterthwaite's t).
    """
    n, s = values.shape
    mean = float(values.mean()) if n else np.nan
    why = _why_none(n, s, question)
    if why:
        return Interval(mean, np.nan, np.nan, 1 - alpha, question, "", n, s, np.nan, why)
    if question == "this recipe":
        low, high = map(float, satterthwaite_interval(values, alpha=alpha))
        method = "ANOVA moments, Satterthwaite t"
    else:
        low, high = bootstrap_t(values.mean(axis=1), alpha=alpha, rng=np.random.default_rng(seed))
        method = "bootstrap-t"
    why = "too few different values" if np.isnan(low) else ""
    coverage = measured_coverage(question, of, n, s)
    return Interval(mean, low, high, 1 - alpha, question, method, n, s, coverage, why)


def satterthwaite_interval(values: Values, *, alpha: float) -> tuple[Values, Values]:
    """Low and high, each `(...)`, of the mean of `(..., n, s)`; NaN where nothing varies."""
    from scipy.stats import t

    found = crossed_mean(values)
    reach = found.se * t.isf(alpha / 2, found.df)
    return found.mean - reach, found.mean + reach


def _why_none(n: int, s: int, question: Question) -> str:
    if n < FEWEST_PATIENTS:
        return f"{n} patients, an interval needs {FEWEST_PATIENTS}"
    if question == "this recipe" and s < FEWEST_SEEDS:
        return f"{s} training seed{'s' * (s != 1)}, a recipe needs {FEWEST_SEEDS}"
    return ""

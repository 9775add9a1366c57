"""Patients x training seeds as two crossed random effects: the mean with its standard error, and the parts of variance.

Both are drawn at random, the patients from those that might have come and the seeds from those that might have been
used, and every fit maps every patient. ANOVA moments of the balanced layout with one number a cell; the degrees of
freedom of a sum of mean squares are Satterthwaite's.

References:
    Satterthwaite, Biometrics Bulletin 2 (1946) 110-114. Searle, Casella, McCulloch: Variance Components (1992), 4.7.
"""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.panel import Panel
from datasets.words import count_text

Values = NDArray[np.float64]


@dataclass(frozen=True)
class CrossedMean:
    """Of one panel, or arrays of many.

    Attributes:
        se: standard error of the mean over new patients *and* new seeds.
        df: Satterthwaite's degrees of freedom; NaN where nothing varies.
    """

    mean: Values
    se: Values
    df: Values


@dataclass(frozen=True)
class MeanSquares:
    """Of `(..., n patients, s seeds)`, all of shape `(...)`."""

    patients: Values
    seeds: Values
    rest: Values
    n: int
    s: int


def mean_squares(values: Values) -> MeanSquares:
    """The two-way table of mean squares.

    Args:
        values: `(..., n, s)`, complete.

    Raises:
        ValueError: a value is missing, or fewer than 2 patients or seeds.
    """
    n, s = values.shape[-2:]
    if n < 2 or s < 2 or np.isnan(values).any():
        raise ValueError(
            f"Got {count_text(n, 'patient')} x {count_text(s, 'seed')}, "
            "expected at least 2 x 2 without a missing value."
        )
    grand = values.mean(axis=(-2, -1), keepdims=True)
    by_patient = values.mean(axis=-1, keepdims=True) - grand
    by_seed = values.mean(axis=-2, keepdims=True) - grand
    rest = values - grand - by_patient - by_seed
    return MeanSquares(
        patients=s * (by_patient**2).sum(axis=(-2, -1)) / (n - 1),
        seeds=n * (by_seed**2).sum(axis=(-2, -1)) / (s - 1),
        rest=(rest**2).sum(axis=(-2, -1)) / ((n - 1) * (s - 1)),
        n=n,
        s=s,
    )


def crossed_mean(values: Values) -> CrossedMean:
    """Mean over new patients and new seeds, its standard error and degrees of freedom.

    The variance of the mean is (MS_patients + MS_seeds - MS_rest) / (n s). A part whose estimate is negative counts
    as zero, which leaves the larger of MS_patients and MS_seeds with that one's degrees of freedom; those are never
    more than of the mean square that dominates.

    Args:
        values: `(..., n, s)`, complete.
    """
    ms = mean_squares(values)
    total = ms.patients + ms.seeds - ms.rest
    with np.errstate(divide="ignore", invalid="ignore"):
        df = total**2 / (
            ms.patients**2 / (ms.n - 1) + ms.seeds**2 / (ms.s - 1) + ms.rest**2 / ((ms.n - 1) * (ms.s - 1))
        )
    larger = np.maximum(ms.patients, ms.seeds)
    clipped = total < larger
    alone = np.where(ms.patients >= ms.seeds, ms.n - 1.0, ms.s - 1.0)
    df = np.where(clipped, alone, df)
    variance = np.where(clipped, larger, total) / (ms.n * ms.s)
    return CrossedMean(values.mean(axis=(-2, -1)), np.sqrt(variance), np.where(variance > 0, df, np.nan))


@dataclass(frozen=True)
class Part:
    """A standard deviation with its interval; 0 where the data leave nothing for it.

    Attributes:
        source: "patient", "training seed", "patient x seed" or "sampling seed".
        df: degrees of freedom: with 2 the interval reaches from half to six times the estimate.
    """

    source: str
    sd: float
    low: float
    high: float
    df: int


def variance_parts(panel: Panel, *, alpha: float = 0.05) -> list[Part]:
    """What a method's number consists of, over patients that have it under every seed; [] with under 2 x 2 of them.

    Sampling noise is drawn anew for every case, so that it is the spread within a patient and seed; it shares its
    place with "patient x seed" where there is one sampling seed only.
    """
    known = ~np.isnan(panel.repeats).any(axis=(1, 2))
    repeats = panel.repeats[known]
    n, s, r = repeats.shape
    if n < 2 or s < 2:
        return []
    ms = mean_squares(repeats.mean(axis=2))
    rest_df = (n - 1) * (s - 1)
    parts = [
        _part("patient", float(ms.patients), float(ms.rest), s, n - 1, rest_df, alpha),
        _part("training seed", float(ms.seeds), float(ms.rest), n, s - 1, rest_df, alpha),
    ]
    if r == 1:
        return [*parts, _part("patient x seed", float(ms.rest), 0.0, 1, rest_df, rest_df, alpha)]
    within, within_df = float(repeats.var(axis=2, ddof=1).mean()), n * s * (r - 1)
    return [
        *parts,
        _part("patient x seed", float(ms.rest), within / r, 1, rest_df, within_df, alpha),
        _part("sampling seed", within, 0.0, 1, within_df, within_df, alpha),
    ]


def _part(source: str, upper: float, lower: float, count: int, df: int, lower_df: int, alpha: float) -> Part:
    """The part of which a mean square has `count` times the variance more than another.

    References:
        Williams, Biometrika 49 (1962) 278-281, for the interval: at least 1 - alpha.
    """
    from scipy.stats import chi2, f

    estimate = (upper - lower) / count
    ends = []
    for tail in (alpha / 2, 1 - alpha / 2):
        ratio = float(f.isf(tail, df, lower_df)) if lower > 0 else 0.0
        ends.append((upper - ratio * lower) * df / (count * float(chi2.isf(tail, df))))
    low, high = (sqrt(max(end, 0.0)) if upper > 0 else nan for end in ends)
    return Part(source, sqrt(max(estimate, 0.0)), low, high, df)

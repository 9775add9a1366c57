"""Parts of variance: how much of a number comes from the patient, the training seed and the sampling seed."""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.intervals.crossed_effects import mean_squares
from benchmark.statistics.panel import Panel

Values = NDArray[np.float64]


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

"""Across cohorts: random-effects meta-analysis of one pair's effects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan, sqrt

import numpy as np

from benchmark.statistics.intervals.mean import TOO_ALIKE
from benchmark.statistics.pairwise.paired_difference import Comparison


@dataclass(frozen=True)
class Pooled:
    """A pair's mean difference over cohorts that might have been others; NaN where fewer than two can be pooled.

    Attributes:
        cohorts: those that could be pooled.
        left_out: the others, with the reason.
        tau: standard deviation between cohorts.
        i2: share of the variance that lies between cohorts, in [0, 1].
        df: cohorts - 1, of the t that makes the interval: with 2 cohorts it is 12.7 standard errors wide.
    """

    a: str
    b: str
    cohorts: tuple[str, ...]
    left_out: Mapping[str, str]
    mean: float = nan
    se: float = nan
    low: float = nan
    high: float = nan
    p: float = nan
    tau: float = nan
    i2: float = nan
    level: float = nan

    @property
    def df(self) -> int:
        return len(self.cohorts) - 1


def pool(comparisons: Sequence[Comparison], lacking: Mapping[str, str] | None = None) -> Pooled:
    """DerSimonian and Laird's estimate with Hartung and Knapp's interval.

    Hartung and Knapp's standard error is never let below the usual one: with few cohorts that agree by chance it
    would be.

    Args:
        comparisons: of one pair and one question, one a cohort; at least one.
        lacking: cohorts in which the pair could not even be compared, with the reason.

    References:
        DerSimonian and Laird, Control Clin Trials 7 (1986) 177-188. Knapp and Hartung, Stat Med 22 (2003) 2693-2710.
        Roever, Knapp, Friede, BMC Med Res Methodol 15 (2015) 99.
    """
    from scipy.stats import t
    from statsmodels.stats.meta_analysis import combine_effects

    usable = [one for one in comparisons if not _why_left_out(one)]
    reasons = {one.choice.dataset: why for one in comparisons if (why := _why_left_out(one))}
    cohorts = tuple(one.choice.dataset for one in usable)
    nothing = Pooled(comparisons[0].a, comparisons[0].b, cohorts, {**reasons, **(lacking or {})})
    if len(usable) < 2:
        return nothing
    effects, variances = np.array([(one.effect.mean, one.se**2) for one in usable]).T
    with np.errstate(invalid="ignore"):  # of effects that are equal, rounding may leave a variance below 0
        found = combine_effects(effects, variances, method_re="dl", use_t=True)
    # Less variance between cohorts than none is none, which leaves the fixed effect.
    between = found.tau2 > 0
    mean = float(found.mean_effect_re if between else found.mean_effect_fe)
    usual, knapp = (
        (found.sd_eff_w_re, found.sd_eff_w_re_hksj) if between else (found.sd_eff_w_fe, found.sd_eff_w_fe_hksj)
    )
    se = float(np.fmax(usual, knapp))
    alpha, df = usable[0].alpha, len(usable) - 1
    reach = float(t.isf(alpha / 2, df)) * se
    return replace(
        nothing,
        mean=mean,
        se=se,
        low=mean - reach,
        high=mean + reach,
        p=float(2 * t.sf(abs(mean) / se, df)) if se > 0 else nan,
        tau=sqrt(max(float(found.tau2), 0.0)),
        i2=max(float(found.i2), 0.0),
        level=1 - alpha,
    )


def _why_left_out(one: Comparison) -> str:
    """Why a cohort's effect has no weight; "" where it has one."""
    if one.state == "not testable" or not one.se > 0:
        return one.effect.why_none or TOO_ALIKE
    return ""

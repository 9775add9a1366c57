"""Across cohorts: random-effects meta-analysis of one pair's effects."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan, sqrt

import numpy as np

from benchmark.statistics.pairwise.paired_difference import Comparison


@dataclass(frozen=True)
class Pooled:
    """A pair's mean difference over cohorts that might have been others.

    Attributes:
        cohorts: those that could be tested.
        tau: standard deviation between cohorts.
        i2: share of the variance that lies between cohorts, in [0, 1].
        df: cohorts - 1, of the t that makes the interval: with 2 cohorts it is 12.7 standard errors wide.
    """

    a: str
    b: str
    cohorts: tuple[str, ...]
    mean: float
    se: float
    low: float
    high: float
    p: float
    tau: float
    i2: float
    level: float

    @property
    def df(self) -> int:
        return len(self.cohorts) - 1


def pool(comparisons: Sequence[Comparison]) -> Pooled | None:
    """DerSimonian and Laird's estimate with Hartung and Knapp's interval; None with fewer than two cohorts.

    Hartung and Knapp's standard error is never let below the usual one: with few cohorts that agree by chance it
    would be.

    Args:
        comparisons: of one pair and one question, one a cohort.

    References:
        DerSimonian and Laird, Control Clin Trials 7 (1986) 177-188. Knapp and Hartung, Stat Med 22 (2003) 2693-2710.
        Roever, Knapp, Friede, BMC Med Res Methodol 15 (2015) 99.
    """
    from scipy.stats import t
    from statsmodels.stats.meta_analysis import combine_effects

    usable = [one for one in comparisons if one.state != "not testable" and one.se > 0]
    if len(usable) < 2:
        return None
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
    return Pooled(
        a=usable[0].a,
        b=usable[0].b,
        cohorts=tuple(one.choice.dataset for one in usable),
        mean=mean,
        se=se,
        low=mean - reach,
        high=mean + reach,
        p=float(2 * t.sf(abs(mean) / se, df)) if se > 0 else nan,
        tau=sqrt(max(float(found.tau2), 0.0)),
        i2=max(float(found.i2), 0.0),
        level=1 - alpha,
    )

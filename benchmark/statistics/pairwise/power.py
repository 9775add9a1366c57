"""Minimum detectable effect: what a pair's data could have shown. Never the power at the effect that was seen."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def detectable(sd: float, n: int, *, alpha: float, power: float) -> float:
    """The smallest mean paired difference that a two-sided t-test at `alpha` finds with probability `power`.

    Args:
        sd: of the paired differences.
        alpha: after correction for the number of comparisons.
    """
    return float(_in_standard_errors(n, alpha, power) * sd / np.sqrt(n)) if sd else 0.0


@lru_cache(maxsize=256)
def _in_standard_errors(n: int, alpha: float, power: float) -> float:
    """The effect that `detectable` gives, divided by its standard error."""
    from scipy import stats
    from scipy.optimize import brentq

    df, critical = n - 1, stats.t.isf(alpha / 2, n - 1)

    def lack(shift: float) -> float:
        return power - float(stats.nct.sf(critical, df, shift))

    # Far out the noncentral t is its shift plus noise of order one: the root lies within this bracket.
    return float(brentq(lack, 0.0, critical * 3 + 20))


def detectable_procedure(half_width: Values | float, se: Values | float, *, power: float) -> Values:
    """The same for a training procedure: the half width of the test and what the power adds to it."""
    from scipy.special import ndtri

    return np.asarray(half_width + ndtri(power) * se)

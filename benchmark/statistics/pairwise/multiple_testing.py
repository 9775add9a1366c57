"""Corrections for many comparisons: Holm's, and that for the winner among several."""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]


def holm(p: Values) -> Values:
    """Holm's step-down of `(m,)` p-values, valid under any dependence; NaN is no test and counts as none.

    References:
        Holm, Scand J Stat 6 (1979) 65-70.
    """
    adjusted = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    steps = p[order] * np.arange(order.size, 0, -1)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(steps)) if order.size else steps
    return adjusted


def of_the_winner(p: float, methods: int) -> float:
    """A one-sided p-value of "the best of k beats the next", the best being picked by the same data.

    Any of the k could have come out first by chance, hence k times p by the union bound: whichever wins wrongly has to
    have passed a method that is as good.
    """
    return min(1.0, methods * p)

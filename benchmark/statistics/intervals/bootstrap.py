"""Bootstrap-t: an interval for the mean of skewed values, where a percentile bootstrap covers too little.

References:
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), 12.5.
"""

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]
ROUNDS = 4999


def bootstrap_t(values: Values, *, alpha: float, rng: np.random.Generator, rounds: int = ROUNDS) -> tuple[float, float]:
    """The (1 - alpha) interval of the mean of `(n,)` independent values.

    Returns:
        Low and high; NaN where values, or too many resamples of them, do not differ at all.
    """
    n = values.size
    mean, se = values.mean(), values.std(ddof=1) / np.sqrt(n)
    if se == 0:
        return np.nan, np.nan
    studentised = np.concatenate([_studentised(values, rng, size) for size in _blocks(n, rounds)])
    # A resample of equal values is infinitely far off; enough of them reach the quantile, and there is no interval.
    low, high = np.quantile(studentised, [1 - alpha / 2, alpha / 2], method="inverted_cdf")
    ends = mean - se * np.array([low, high])
    return (float(ends[0]), float(ends[1])) if np.isfinite(ends).all() else (np.nan, np.nan)


def _studentised(values: Values, rng: np.random.Generator, rounds: int) -> Values:
    n = values.size
    drawn = (values - values.mean())[rng.integers(0, n, (rounds, n), dtype=np.uint32)]
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

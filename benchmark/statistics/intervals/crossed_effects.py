"""Patients x training seeds as two crossed random effects: the mean with its standard error, and the parts of variance.

Both are drawn at random, the patients from those that might have come and the seeds from those that might have been
used, and every fit maps every patient. ANOVA moments of the balanced layout with one number a cell; the degrees of
freedom of a sum of mean squares are Satterthwaite's.

References:
    Satterthwaite, Biometrics Bulletin 2 (1946) 110-114. Searle, Casella, McCulloch: Variance Components (1992), 4.7.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
        raise ValueError(f"Got {n} patients x {s} seeds, wanted at least 2 x 2 without a missing value.")
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

"""Rank agreement of two ways to score the same methods: Kendall's tau, with an interval over patients."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
ROUNDS = 2000
LEVEL = 0.95
FEWEST_PATIENTS, FEWEST_METHODS = 6, 3


@dataclass(frozen=True)
class Agreement:
    """Kendall's tau-b of two rankings of `methods` methods; NaN where it is not defined.

    Attributes:
        low, high: percentile interval over patients of both sides; NaN where there are too few of them.
    """

    tau: float
    low: float
    high: float
    methods: int


def rank_agreement(one: Numbers, other: Numbers, *, rounds: int = ROUNDS, seed: int = 0) -> Agreement:
    """Agreement of the methods' means over the patients of two cohorts.

    The methods are fixed; patients of each cohort are drawn with replacement, all methods' numbers of a patient
    together.

    Args:
        one, other: `(P, M)` and `(Q, M)`: a number a patient and method, NaN where undefined.
    """
    methods = one.shape[1]
    if methods < FEWEST_METHODS:
        return Agreement(np.nan, np.nan, np.nan, methods)
    tau = kendall_tau(_means(one, np.ones((1, len(one))))[0], _means(other, np.ones((1, len(other))))[0])
    if min(len(one), len(other)) < FEWEST_PATIENTS:
        return Agreement(tau, np.nan, np.nan, methods)
    rng = np.random.default_rng(seed)
    drawn = [rng.multinomial(len(side), np.full(len(side), 1 / len(side)), size=rounds) for side in (one, other)]
    pairs = zip(_means(one, drawn[0]), _means(other, drawn[1]), strict=True)
    taus = np.array([kendall_tau(left, right) for left, right in pairs])
    if np.isnan(taus).all():
        return Agreement(tau, np.nan, np.nan, methods)
    low, high = np.nanquantile(taus, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Agreement(tau, float(low), float(high), methods)


def kendall_tau(one: Numbers, other: Numbers) -> float:
    """tau-b of two vectors `(M,)`: concordant less discordant pairs over the geometric mean of the untied ones.

    Returns:
        NaN where one of them is all ties or holds a NaN.

    Example:
        >>> kendall_tau(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0])).__round__(3)
        0.333
    """
    if np.isnan(one).any() or np.isnan(other).any():
        return float("nan")
    upper = np.triu_indices(len(one), 1)
    left, right = (np.sign(values[:, None] - values)[upper] for values in (one, other))
    untied = np.abs(left).sum() * np.abs(right).sum()
    return float(left @ right / np.sqrt(untied)) if untied else float("nan")


def _means(values: Numbers, weights: NDArray[np.number]) -> Numbers:
    """Weighted means over patients of what is defined: `(R, M)`."""
    known = ~np.isnan(values)
    total = weights @ known
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((weights @ np.where(known, values, 0)) / total)

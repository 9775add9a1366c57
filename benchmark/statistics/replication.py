"""What a study published against another run: where a new run's mean may lie, and whether an order is the same.

A study prints one mean of some patients and trainings. It agrees with ours if it may be the mean of a new run of the
same procedure, whose patients and trainings are drawn anew as crossed random effects; see
`benchmark.statistics.intervals.crossed_effects`.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.intervals.crossed_effects import crossed_mean, mean_squares
from benchmark.statistics.panel import FEWEST_PATIENTS

Values = NDArray[np.float64]
ROUNDS = 2_000


class Agreement(NamedTuple):
    """Kendall's tau of two orders, with its interval; NaN where there is none."""

    tau: float
    low: float
    high: float


def prediction_interval(values: Values, *, patients: int, seeds: int, alpha: float = 0.05) -> tuple[float, float]:
    """Where the mean of a new run lies with 1 - alpha: the error of our mean and that of the new one together.

    Args:
        values: `(n, s)` of our patients and training seeds, complete; n may be 1 for a number without patients.
        patients, seeds: of the new run.

    Returns:
        both ends; NaN with fewer than two seeds or without a patient.
    """
    from scipy.stats import t

    n, s = values.shape
    if s < 2 or not n:
        return np.nan, np.nan
    mean = float(values.mean())
    if n == 1:
        spread, df = float(values.std(ddof=1)) * sqrt(1 / s + 1 / seeds), s - 1.0
    else:
        ms, ours = mean_squares(values), crossed_mean(values)
        of_patients, of_seeds = (max(float(one - ms.rest), 0.0) for one in (ms.patients, ms.seeds))
        new = of_patients / (s * patients) + of_seeds / (n * seeds) + float(ms.rest) / (patients * seeds)
        spread, df = sqrt(float(ours.se) ** 2 + new), float(ours.df)
    half = float(t.isf(alpha / 2, df)) * spread if spread > 0 else 0.0
    return mean - half, mean + half


def order_agreement(published: Values, values: Values, *, alpha: float = 0.05, seed: int = 0) -> Agreement:
    """Kendall's tau between m published means and ours, with an interval over our patients and training seeds.

    Methods that are equal in either order agree in neither direction. Patients and seeds are drawn with replacement,
    the same for all methods; a few seeds drawn so vary less than new ones would, so that the interval is rather short.

    Args:
        published: `(m,)`.
        values: `(m, n, s)`, complete.

    Returns:
        NaN with fewer than three methods; ends NaN with fewer than `FEWEST_PATIENTS`.

    References:
        Kendall, Biometrika 30 (1938) 81-93.
    """
    methods, n, s = values.shape
    if methods < 3 or not n or not s:
        return Agreement(np.nan, np.nan, np.nan)
    theirs = _signs(published)
    tau = float((_signs(values.mean(axis=(1, 2))) * theirs).mean())
    if n < FEWEST_PATIENTS:
        return Agreement(tau, np.nan, np.nan)
    rng = np.random.default_rng(seed)
    patients = rng.multinomial(n, np.full(n, 1 / n), ROUNDS) / n
    seeds = rng.multinomial(s, np.full(s, 1 / s), ROUNDS) / s
    drawn = np.einsum("rn,mns,rs->rm", patients, values, seeds, optimize=True)
    taus = np.array([(_signs(one) * theirs).mean() for one in drawn])
    low, high = np.quantile(taus, [alpha / 2, 1 - alpha / 2])
    return Agreement(tau, float(low), float(high))


def _signs(means: Values) -> Values:
    """Of the difference of every pair."""
    first, second = np.triu_indices(means.size, 1)
    return np.sign(means[first] - means[second])

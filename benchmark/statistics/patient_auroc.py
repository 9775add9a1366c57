"""How well a patient-level score tells patients from healthy people: AUROC, with an interval within [0, 1]."""

from dataclasses import dataclass
from math import nan, sqrt

import numpy as np
from numpy.typing import NDArray

from benchmark.statistics.panel import FEWEST_PATIENTS
from datasets.words import count_text

Values = NDArray[np.float64]
WILSON = "Newcombe's Wilson-type"


@dataclass(frozen=True)
class PatientAuroc:
    """The chance that a patient scores above a healthy person, equal scores counting half.

    Attributes:
        value: mean over training seeds; NaN without a patient or without a healthy person.
        low, high: NaN where there is no interval, for the reason `why_none`.
        by_seed: of each training seed.
    """

    value: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    why_none: str = ""


def patient_auroc(patients: Values, controls: Values, *, alpha: float) -> PatientAuroc:
    """Of `(m, s)` scores of patients and `(n, s)` of healthy people under the same training seeds, complete.

    The interval is of this trained model: m and n people are drawn anew, the seeds are averaged as if each person had
    one score, which makes it too wide rather than too narrow.
    """
    (m, seeds), n = patients.shape, len(controls)
    if not (m and n and seeds):
        return PatientAuroc(nan, nan, nan, (), "no score of either side")
    by_seed = tuple(_auroc(patients[:, seed], controls[:, seed]) for seed in range(seeds))
    value = float(np.mean(by_seed))
    if min(m, n) < FEWEST_PATIENTS:
        there = f"{count_text(m, 'patient')} and {count_text(n, 'healthy control')}"
        why = f"{there}, an interval needs {FEWEST_PATIENTS} of each"
        return PatientAuroc(value, nan, nan, by_seed, why)
    return PatientAuroc(value, *wilson_type_interval(value, m, n, alpha=alpha), by_seed)


def wilson_type_interval(auroc: float, m: int, n: int, *, alpha: float) -> tuple[float, float]:
    """The (1 - alpha) interval of an AUROC of m against n: all values from which it is within z standard errors.

    The standard error is Hanley and McNeil's, with (m + n) / 2 in place of m and n, at the value itself and not at
    the estimate, so that the interval stays within [0, 1] and has a width where both groups are apart.

    References:
        Newcombe, Statistics in Medicine 25 (2006) 559-573, method 5.

    Examples:
        >>> low, high = wilson_type_interval(1.0, 10, 10, alpha=0.05)
        >>> round(low, 2), high
        (0.79, 1.0)
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z = float(norm.isf(alpha / 2))

    def excess(value: float) -> float:
        """How much further off the estimate is than z standard errors."""
        odds = (1 - value) / (2 - value) + value / (1 + value)
        variance = value * (1 - value) * (1 + ((m + n) / 2 - 1) * odds) / (m * n)
        return abs(auroc - value) - z * sqrt(variance)

    near = 1e-12
    low = 0.0 if auroc <= near else float(brentq(excess, 0.0, min(auroc, 1 - near)))
    high = 1.0 if auroc >= 1 - near else float(brentq(excess, max(auroc, near), 1.0))
    return low, high


def _auroc(patients: Values, controls: Values) -> float:
    above = patients[:, None] > controls[None]
    return float(np.mean(above + 0.5 * (patients[:, None] == controls[None])))

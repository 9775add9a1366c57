"""AUROC of people: brute force, independent implementation, symmetry, bounds, and coverage by simulation."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from benchmark.statistics.patient_auroc import patient_auroc, wilson_type_interval

ALPHA = 0.05


def drawn(rng: np.random.Generator, m: int, n: int, seeds: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Scores with ties."""
    return rng.normal(1, 2, (m, seeds)).round(1), rng.normal(0, 1, (n, seeds)).round(1)


def test_it_is_scikit_learns_mean_over_seeds() -> None:
    rng = np.random.default_rng(0)
    for m, n, seeds in ((6, 9, 1), (20, 7, 3), (1, 1, 2)):
        patients, controls = drawn(rng, m, n, seeds)
        labels = [1] * m + [0] * n
        expected = [roc_auc_score(labels, [*patients[:, seed], *controls[:, seed]]) for seed in range(seeds)]
        found = patient_auroc(patients, controls, alpha=ALPHA)
        assert found.by_seed == pytest.approx(expected, abs=1e-12)
        assert found.value == pytest.approx(np.mean(expected), abs=1e-12)


def test_the_interval_holds_the_values_within_z_standard_errors_and_no_others() -> None:
    z = norm.isf(ALPHA / 2)
    for auroc, m, n in ((0.5, 10, 10), (0.83, 54, 30), (1.0, 8, 12), (0.0, 6, 6), (0.97, 20, 6)):
        low, high = wilson_type_interval(auroc, m, n, alpha=ALPHA)
        at = np.linspace(0, 1, 20001)
        spread = at * (1 - at) * (1 + ((m + n) / 2 - 1) * ((1 - at) / (2 - at) + at / (1 + at))) / (m * n)
        inside = at[np.abs(auroc - at) <= z * np.sqrt(spread)]
        assert (low, high) == pytest.approx((inside.min(), inside.max()), abs=2e-4)
        assert 0 <= low <= auroc <= high <= 1
        assert high - low > 0.02
        assert wilson_type_interval(1 - auroc, m, n, alpha=ALPHA) == pytest.approx((1 - high, 1 - low), abs=1e-9)


def test_patients_and_controls_that_change_places_turn_it_round() -> None:
    patients, controls = drawn(np.random.default_rng(1), 12, 15, 2)
    one, other = patient_auroc(patients, controls, alpha=ALPHA), patient_auroc(controls, patients, alpha=ALPHA)
    assert (other.value, other.low, other.high) == pytest.approx((1 - one.value, 1 - one.high, 1 - one.low), abs=1e-9)


def test_few_people_have_no_interval_and_none_have_no_value() -> None:
    few = patient_auroc(np.ones((5, 1)), np.zeros((30, 1)), alpha=ALPHA)
    assert few.value == 1
    assert np.isnan([few.low, few.high]).all()
    assert few.why_none == "5 patients and 30 healthy controls, an interval needs 6 of each"
    assert np.isnan(patient_auroc(np.ones((0, 1)), np.zeros((3, 1)), alpha=ALPHA).value)


@pytest.mark.parametrize(("m", "n", "spread", "lowest"), [(54, 30, 1, 0.93), (54, 30, 3, 0.93), (20, 20, 1, 0.93)])
def test_intervals_hold_the_truth_as_often_as_they_say(m: int, n: int, spread: float, lowest: float) -> None:
    rng = np.random.default_rng(2)
    for truth in (0.7, 0.95):
        shift = norm.ppf(truth) * np.hypot(spread, 1)
        held = 0
        for _ in range(400):
            found = patient_auroc(rng.normal(shift, spread, (m, 1)), rng.normal(0, 1, (n, 1)), alpha=ALPHA)
            held += found.low <= truth <= found.high
        assert held / 400 > lowest - 0.025  # two standard errors of 400 draws

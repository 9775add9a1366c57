"""Kendall's tau against SciPy's, and its interval over patients."""

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics.rank_agreement import kendall_tau, rank_agreement


def test_tau_is_scipys_ties_included() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        one, other = rng.integers(0, 6, (2, 7)).astype(float)
        expected = stats.kendalltau(one, other).statistic
        assert kendall_tau(one, other) == pytest.approx(expected, nan_ok=True)


def patients(rng: np.random.Generator, count: int, quality: np.ndarray[tuple[int], np.dtype[np.float64]]):  # type: ignore[no-untyped-def]
    return quality + rng.normal(0, 0.3, (count, 1)) + rng.normal(0, 0.05, (count, len(quality)))


def test_the_same_order_agrees_and_the_opposite_one_does_not() -> None:
    rng, quality = np.random.default_rng(1), np.linspace(0, 1, 6)
    agreeing = rank_agreement(patients(rng, 20, quality), patients(rng, 30, quality))
    assert (agreeing.tau, agreeing.low, agreeing.methods) == (1, 1, 6)
    opposed = rank_agreement(patients(rng, 20, quality), patients(rng, 30, -quality))
    assert (opposed.tau, opposed.high) == (-1, -1)


def test_equal_methods_have_an_interval_about_zero() -> None:
    rng, quality = np.random.default_rng(2), np.zeros(6)
    result = rank_agreement(patients(rng, 20, quality), patients(rng, 30, quality))
    assert result.low < 0 < result.high


def test_undefined_numbers_of_a_patient_are_left_out() -> None:
    rng, quality = np.random.default_rng(3), np.linspace(0, 1, 5)
    one, other = patients(rng, 20, quality), patients(rng, 20, quality)
    one[3, 2] = np.nan
    assert rank_agreement(one, other).tau == 1


def test_few_patients_have_no_interval_and_few_methods_no_tau() -> None:
    rng, quality = np.random.default_rng(4), np.linspace(0, 1, 5)
    few = rank_agreement(patients(rng, 2, quality), patients(rng, 20, quality))
    assert few.tau == 1
    assert np.isnan([few.low, few.high]).all()
    assert np.isnan(rank_agreement(patients(rng, 20, quality[:2]), patients(rng, 20, quality[:2])).tau)

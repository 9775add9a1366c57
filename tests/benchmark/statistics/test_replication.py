"""Prediction intervals by simulation, and Kendall's tau against SciPy."""

import numpy as np
import pytest
from scipy.stats import kendalltau

from benchmark.statistics.replication import order_agreement, prediction_interval

PATIENTS, SEEDS = 40, 5


def drawn(rng: np.random.Generator, patients: int, seeds: int) -> np.ndarray:
    """Numbers of a run whose patients and trainings are drawn anew."""
    by_patient, by_seed = rng.normal(0, 0.2, (patients, 1)), rng.normal(0, 0.05, (1, seeds))
    return 0.5 + by_patient + by_seed + rng.normal(0, 0.05, (patients, seeds))


def test_nineteen_of_twenty_new_runs_lie_within() -> None:
    rng, rounds = np.random.default_rng(0), 600
    hits = 0
    for _ in range(rounds):
        low, high = prediction_interval(drawn(rng, PATIENTS, SEEDS), patients=100, seeds=3)
        hits += low <= drawn(rng, 100, 3).mean() <= high
    assert 0.93 <= hits / rounds <= 0.99


def test_without_patients_trainings_alone_vary() -> None:
    values = np.array([[0.1, 0.2, 0.3]])
    low, high = prediction_interval(values, patients=1, seeds=10**9)
    half = 4.30265 * 0.1 / np.sqrt(3)  # t of 2 degrees of freedom
    assert (low, high) == pytest.approx((0.2 - half, 0.2 + half), rel=1e-4)


def test_more_trainings_of_the_new_run_shorten_the_interval() -> None:
    values = drawn(np.random.default_rng(1), PATIENTS, SEEDS)
    few, many = (prediction_interval(values, patients=100, seeds=seeds) for seeds in (1, 50))
    assert few[0] < many[0] < many[1] < few[1]


def test_one_training_gives_none() -> None:
    assert np.isnan(prediction_interval(np.ones((4, 1)), patients=4, seeds=5)).all()


def test_tau_equals_scipys() -> None:
    rng = np.random.default_rng(2)
    for methods in (3, 7, 13):
        values, published = rng.normal(size=(methods, 6, 2)), rng.normal(size=methods)
        found = order_agreement(published, values)
        assert found.tau == pytest.approx(kendalltau(published, values.mean(axis=(1, 2))).statistic)
        assert -1 <= found.low <= found.high <= 1


def test_methods_far_apart_leave_no_doubt_of_their_order() -> None:
    values = np.arange(4.0)[:, None, None] * 10 + np.random.default_rng(3).normal(size=(1, 8, 2))
    assert order_agreement(np.arange(4.0), values) == (1, 1, 1)
    assert order_agreement(-np.arange(4.0), values) == (-1, -1, -1)


def test_two_methods_have_no_tau() -> None:
    assert np.isnan(order_agreement(np.arange(2.0), np.ones((2, 4, 2)))).all()

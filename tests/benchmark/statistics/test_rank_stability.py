"""Agreement of rankings against SciPy, wins by hand, and what one axis does."""

import numpy as np
import pytest
from scipy import stats

from benchmark.metrics import METRICS
from benchmark.postprocessing.pipelines import STANDARD
from benchmark.statistics.rank_stability import (
    Universe,
    by_axis,
    describe,
    kendall_tau,
    rank_agreement,
    read_choices,
)
from benchmark.study.protocols import PROTOCOLS


def test_tau_is_that_of_scipy_ties_included() -> None:
    scores = np.random.default_rng(0).integers(0, 5, (12, 6)).astype(float)
    found = kendall_tau(scores[:, None], scores[None])
    for first in range(12):
        for second in range(12):
            assert found[first, second] == pytest.approx(stats.kendalltau(scores[first], scores[second]).statistic)


def test_a_universe_that_ranks_nothing_agrees_with_none() -> None:
    assert np.isnan(kendall_tau(np.array([1.0, 1, 1]), np.array([[1.0, 1, 1], [1, 2, 3]]))).all()


def test_wins_are_shared_among_those_who_lead_together() -> None:
    universes = [Universe("lgg", "dice", "light", protocol, "scaled", None) for protocol in ("a", "b", "c")]
    found = describe(universes, ["x", "y"], np.array([[1.0, 0], [0, 1], [1, 1]]))
    assert found.wins == {"x": 0.5, "y": 0.5}
    assert found.agreement == -1  # the third ranks nothing


def test_an_axis_is_looked_at_alone() -> None:
    reference = Universe("lgg", "dice", "light", "lesion-val", "scaled", None)
    other_chain = Universe("lgg", "dice", "none", "lesion-val", "scaled", None)
    other_both = Universe("lgg", "auprc", "none", "", "scaled", None)
    found = describe([reference, other_chain, other_both], ["x", "y"], np.array([[1.0, 0], [0, 1], [1, 0]]))
    axes = by_axis(found, reference)
    assert axes["postprocessing"].tolist() == [-1]
    assert axes["metric"].size == axes["seed"].size == 0


def test_the_fixed_list_names_what_there_is() -> None:
    found = read_choices()
    assert found.postprocessing == STANDARD
    assert {"dice", "lesion_f1", "auprc"} <= set(found.metrics) <= set(METRICS)
    assert set(found.protocols) == {name for name, one in PROTOCOLS.usable().items() if not one.sees_test_labels}


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

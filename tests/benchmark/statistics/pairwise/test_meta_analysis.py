"""Random effects against the formulas written out."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import CHOICE, compared, patients
from scipy import stats

from benchmark.statistics.pairwise.meta_analysis import pool
from benchmark.statistics.pairwise.paired_difference import Comparison


def cohort(name: str, shift: float, n: int) -> Comparison:
    noise = np.random.default_rng(n).normal(shift, 0.1, (n, 1))
    base = patients(n, 1, seed=n)
    (found,) = compared({"a": base + noise, "b": base}, choice=replace(CHOICE, dataset=name))
    return found


COHORTS = [cohort("one", 0.05, 20), cohort("two", 0.2, 54), cohort("three", 0.1, 30)]


def test_it_is_dersimonian_and_laird_with_hartung_and_knapp() -> None:
    effect, variance = np.array([(one.effect.mean, one.se**2) for one in COHORTS]).T
    weight = 1 / variance
    q = (weight * (effect - np.average(effect, weights=weight)) ** 2).sum()
    tau2 = max(0, (q - 2) / (weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (variance + tau2)
    mean = np.average(effect, weights=weight)
    se = np.sqrt((weight * (effect - mean) ** 2).sum() / 2 / weight.sum())
    se = max(se, 1 / np.sqrt(weight.sum()))
    found = pool(COHORTS)
    assert (found.mean, found.tau, found.se) == pytest.approx((mean, np.sqrt(tau2), se))
    assert found.high - found.mean == pytest.approx(stats.t.isf(0.025, 2) * se)
    assert found.df == 2


def test_cohorts_that_agree_by_chance_get_no_narrower_interval_for_it() -> None:
    same = [replace(one, effect=replace(one.effect, mean=0.1)) for one in COHORTS]
    found = pool(same)
    assert found.se == pytest.approx(1 / np.sqrt(sum(1 / one.se**2 for one in same)))


def test_one_cohort_is_not_pooled_and_one_that_is_not_testable_does_not_count() -> None:
    small = cohort("small", 0.3, 4)
    assert np.isnan(pool(COHORTS[:1]).mean)
    assert np.isnan(pool([COHORTS[0], small]).mean)
    assert replace(pool([*COHORTS, small]), left_out={}) == pool(COHORTS)


def test_a_cohort_that_is_left_out_is_named_with_the_reason() -> None:
    same = patients(20, 1)
    (equal,) = compared({"a": same, "b": same}, choice=replace(CHOICE, dataset="equal"))
    found = pool([COHORTS[0], cohort("small", 0.3, 4), equal, COHORTS[1]], {"other": "no number of b"})
    assert found.cohorts == ("one", "two")
    assert dict(found.left_out) == {
        "small": "4 patients, an interval needs 6", "equal": "too few different values", "other": "no number of b",
    }  # fmt: skip

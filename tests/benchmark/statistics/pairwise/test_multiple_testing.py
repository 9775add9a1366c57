"""Holm against statsmodels, and the winner of k by simulation."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from benchmark.statistics.pairwise.multiple_testing import holm, of_the_winner


def test_holm_is_that_of_statsmodels() -> None:
    p = np.random.default_rng(0).uniform(0, 0.1, 20)
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])


def test_what_is_no_test_counts_as_none() -> None:
    found = holm(np.array([0.01, np.nan, 0.04]))
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])
    assert np.isnan(found[1])
    assert np.isnan(holm(np.array([np.nan]))).all()


def test_the_better_of_equal_methods_claims_to_be_better_in_no_more_than_five_percent() -> None:
    rng, runs, k, n = np.random.default_rng(1), 2000, 2, 30
    values = rng.normal(0, 1, (runs, 1, n)) + rng.normal(0, 0.3, (runs, k, n))
    order = np.argsort(values.mean(axis=2), axis=1)
    first, second = (np.take_along_axis(values, order[:, [place], None], axis=1)[:, 0] for place in (-1, -2))
    p = stats.ttest_rel(first, second, axis=1, alternative="greater").pvalue
    assert np.mean([of_the_winner(one, k) <= 0.05 for one in p]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)
    assert np.mean(p <= 0.05) > 0.08  # uncorrected it is wrong too often


def test_a_corrected_p_value_is_no_more_than_one() -> None:
    assert of_the_winner(0.4, 3) == 1
    assert of_the_winner(0.01, 3) == pytest.approx(0.03)

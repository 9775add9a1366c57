"""The published unpaired test against SciPy's."""

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics.pairwise.unpaired import unpaired_permutation_p


def test_it_is_the_unpaired_permutation_test_of_scipy() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.5, 1, 6), rng.normal(0, 1, 5)
    theirs = stats.permutation_test(
        (a, b), lambda x, y, axis: x.mean(axis=axis) - y.mean(axis=axis), vectorized=True, n_resamples=np.inf
    )
    assert unpaired_permutation_p(a, b, rounds=40_000) == pytest.approx(theirs.pvalue, abs=0.01)


def test_it_cannot_see_what_patients_have_in_common() -> None:
    patients = np.random.default_rng(1).normal(0, 1, 40)
    assert unpaired_permutation_p(patients + 0.1, patients) > 0.4


def test_it_is_never_zero() -> None:
    assert unpaired_permutation_p(np.arange(20.0), np.arange(20.0) + 100, rounds=99) == pytest.approx(0.01)

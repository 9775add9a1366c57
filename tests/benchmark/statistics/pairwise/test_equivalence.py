"""The bound test of equivalence against the binomial, its guarantee on sparse differences, and its symmetry."""

import numpy as np
import pytest
from error_rates import INSIDE, OUTSIDE, Sparse, equivalence
from scipy import stats

from benchmark.statistics.pairwise.equivalence import equivalence_p


@pytest.mark.parametrize("population", OUTSIDE, ids=lambda one: one.name)
@pytest.mark.parametrize("n", [6, 20, 60, 200, 480])
def test_means_outside_the_margin_are_called_equivalent_in_five_percent_of_studies_at_most(
    population: Sparse, n: int
) -> None:
    studies = population.draw(np.random.default_rng(n), 400, n)
    wrong = np.mean([equivalence_p(one, 0.02, 1.0) <= 0.05 for one in studies])
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_two_t_tests_alone_are_wrong_far_more_often() -> None:
    bound, by_t = equivalence(OUTSIDE[4], n=6, runs=200)
    assert bound.rate == 0
    assert by_t.rate > 0.4


def test_what_hardly_varies_is_equivalent_with_enough_patients() -> None:
    assert equivalence(INSIDE[1], n=240, runs=50)[0].rate == 1
    assert equivalence(INSIDE[1], n=60, runs=50)[0].rate == 0


def test_the_sign_of_the_differences_does_not_matter() -> None:
    values = np.random.default_rng(0).normal(0.004, 0.1, 300)
    assert equivalence_p(values, 0.02, 1.0) == pytest.approx(equivalence_p(-values, 0.02, 1.0))


@pytest.mark.parametrize("n", [150, 200, 300])
def test_it_claims_no_more_than_the_exact_binomial_test_where_patients_differ_wholly_or_not_at_all(n: int) -> None:
    for differing in range(6):
        values = np.repeat([1.0, 0.0], [differing, n - differing])
        assert equivalence_p(values, 0.02, 1.0) >= stats.binom.cdf(differing, n, 0.02) * (1 - 1e-9)


def test_under_a_wider_bound_less_is_shown_and_without_one_nothing() -> None:
    values = np.random.default_rng(1).normal(0, 0.02, 300)
    known = [equivalence_p(values, 0.02, bound) for bound in (0.5, 1.0, 2.0, np.inf)]
    assert known == sorted(known)
    assert known[0] < 0.001
    assert known[-1] == 1

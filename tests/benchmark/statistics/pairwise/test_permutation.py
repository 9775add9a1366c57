"""Sign flips against SciPy and against every flip written out; max-T step-down by its definition."""

from itertools import product

import numpy as np
import pytest
from scipy import stats

from benchmark.statistics.pairwise.permutation import rounds_needed, sign_flips, unpaired_permutation_p


def absolute_t(values: np.ndarray) -> float:
    return abs(values.mean()) / (values.std(ddof=1) / np.sqrt(values.size))


def test_few_patients_get_the_exact_p_value_of_scipy() -> None:
    a, b = np.random.default_rng(0).normal(0.3, 1, (2, 9))
    found = sign_flips((a - b)[:, None])
    theirs = stats.permutation_test(
        (a, b), lambda x, y, axis: (x - y).mean(axis=axis), permutation_type="samples", vectorized=True, n_resamples=1e6
    )
    assert found.exact
    assert found.rounds == 2**8
    assert found.p[0] == pytest.approx(theirs.pvalue)


def test_step_down_is_its_definition_written_out() -> None:
    table = np.random.default_rng(1).normal([0.9, 0.6, 0.1], 1, (8, 3))
    found = sign_flips(table)
    observed = [absolute_t(table[:, column]) for column in range(3)]
    flipped = np.array(
        [[absolute_t(table[:, column] * signs) for column in range(3)] for signs in product((1, -1), repeat=8)]
    )
    order, running = np.argsort(observed)[::-1], 0.0
    for place, column in enumerate(order):
        rest = order[place:]
        running = max(running, float((flipped[:, rest].max(axis=1) >= observed[column] - 1e-9).mean()))
        assert found.adjusted[column] == pytest.approx(running)
        assert found.p[column] == pytest.approx((flipped[:, column] >= observed[column] - 1e-9).mean())


def test_random_flips_come_close_to_all_of_them() -> None:
    table = np.random.default_rng(2).normal(0.5, 1, (12, 4))
    exact, random = sign_flips(table), sign_flips(table, rounds=20_000, exact_up_to=5)
    assert exact.exact
    assert not random.exact
    assert random.p == pytest.approx(exact.p, abs=0.015)
    assert random.adjusted == pytest.approx(exact.adjusted, abs=0.015)


def test_correlated_pairs_cost_less_than_bonferroni() -> None:
    base = np.random.default_rng(3).normal(0.45, 1, 30)
    found = sign_flips(np.stack([base, base + 0.001, base * 1.01], axis=1))
    assert found.adjusted.max() < 1.3 * found.p.max()


def test_a_patient_that_a_pair_lacks_counts_in_the_others_only() -> None:
    table = np.random.default_rng(4).normal(0.5, 1, (10, 2))
    lacking = table.copy()
    lacking[9, 1] = np.nan
    assert sign_flips(lacking).p[0] == pytest.approx(sign_flips(table).p[0])
    assert sign_flips(lacking).p[1] == pytest.approx(sign_flips(table[:9, 1:]).p[0])


def test_five_patients_cannot_reach_five_percent_and_six_can() -> None:
    assert sign_flips(np.arange(1.0, 6)[:, None]).p[0] == pytest.approx(2 / 32)
    assert sign_flips(np.arange(1.0, 7)[:, None]).p[0] == pytest.approx(2 / 64)


def test_the_rounds_can_reach_what_many_comparisons_ask_up_to_a_bound() -> None:
    assert 1 / (10_000 + 1) > 0.05 / 200 / 10
    assert 1 / (rounds_needed(200, 0.05) + 1) <= 0.05 / 200 / 10
    assert rounds_needed(19_900, 0.05) == 49_999
    assert rounds_needed(1, 0.05) == 9_999


def test_equal_methods_differ_by_nothing_and_a_constant_difference_is_as_sure_as_can_be() -> None:
    found = sign_flips(np.stack([np.zeros(8), np.full(8, 0.1)], axis=1))
    assert found.p[0] == 1
    assert found.p[1] == pytest.approx(2 / 2**8)


@pytest.mark.parametrize("n", [6, 14, 40])
@pytest.mark.parametrize("scatter", [0.0, 1e-17, 1e-16, 1e-12])
def test_no_p_value_is_zero_where_differences_vary_by_rounding_alone(n: int, scatter: float) -> None:
    rng = np.random.default_rng(n)
    for _ in range(20):
        found = sign_flips((rng.uniform(0.01, 1) + rng.normal(0, scatter, n))[:, None], rounds=999)
        least = 2 / 2**n if found.exact else 1 / 1000
        assert found.p[0] >= least * (1 - 1e-12)
        assert found.adjusted[0] >= least * (1 - 1e-12)


@pytest.mark.parametrize(("n", "m"), [(6, 5), (6, 6), (12, 12), (30, 30)])
@pytest.mark.parametrize("digits", [0, 1, 15])  # few digits: many relabellings reach just the observed gap
def test_it_is_the_unpaired_permutation_test_of_scipy_for_each_pair(n: int, m: int, digits: int) -> None:
    rng = np.random.default_rng([n, digits])
    a, b = rng.normal(0.3, 1, (n, 4)).round(digits), rng.normal(0, 1, (m, 4)).round(digits)
    a[:, 3] = a[0, 0]
    b[:, 3] = a[0, 0]
    theirs = [
        stats.permutation_test(
            (a[:, pair], b[:, pair]), lambda x, y, axis: np.abs(x.mean(axis=axis) - y.mean(axis=axis)),
            vectorized=True, n_resamples=2_000, alternative="greater", rng=np.random.default_rng(0),
        ).pvalue
        for pair in range(4)
    ]  # fmt: skip
    assert unpaired_permutation_p(a, b, rounds=2_000).tolist() == theirs
    assert unpaired_permutation_p(a[:, 1], b[:, 1], rounds=2_000) == theirs[1]


def test_it_cannot_see_what_patients_have_in_common() -> None:
    patients = np.random.default_rng(1).normal(0, 1, 40)
    assert unpaired_permutation_p(patients + 0.1, patients) > 0.4


def test_it_is_never_zero() -> None:
    assert unpaired_permutation_p(np.arange(20.0), np.arange(20.0) + 100, rounds=99) == pytest.approx(0.01)


def test_the_published_test_draws_ten_thousand_relabellings() -> None:
    """Its p-value is a count of them and of the data themselves."""
    a, b = np.random.default_rng(5).normal(size=(2, 25))
    count = unpaired_permutation_p(a, b) * 10_001
    assert count == pytest.approx(round(count), abs=1e-6)
    assert 0.01 < count / 10_001 < 0.99

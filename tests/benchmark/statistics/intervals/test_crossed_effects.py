"""Crossed random effects against sums written out, and in the cases that have a simple answer."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import panel
from scipy import stats

from benchmark.statistics.intervals.crossed_effects import crossed_mean, mean_squares, variance_parts


def test_mean_squares_are_those_of_the_two_way_table_written_out() -> None:
    values = np.random.default_rng(0).normal(size=(7, 4))
    grand, rows, columns = values.mean(), values.mean(axis=1), values.mean(axis=0)
    patients = sum(4 * (rows[i] - grand) ** 2 for i in range(7)) / 6
    seeds = sum(7 * (columns[j] - grand) ** 2 for j in range(4)) / 3
    rest = sum((values[i, j] - rows[i] - columns[j] + grand) ** 2 for i in range(7) for j in range(4)) / 18
    found = mean_squares(values)
    assert (found.patients, found.seeds, found.rest) == pytest.approx((patients, seeds, rest))


def test_the_standard_error_is_the_sum_of_three_parts() -> None:
    rng = np.random.default_rng(1)
    shape = (40_000, 12, 4)
    values = rng.normal(0, 2, (shape[0], 12, 1)) + rng.normal(0, 1, (shape[0], 1, 4)) + rng.normal(0, 3, shape)
    expected = 4 / 12 + 1 / 4 + 9 / 48
    assert values.mean(axis=(1, 2)).var() == pytest.approx(expected, rel=0.03)
    assert (crossed_mean(values).se ** 2).mean() == pytest.approx(expected, rel=0.05)


def test_seeds_without_any_effect_leave_the_paired_t_test() -> None:
    by_patient = np.random.default_rng(2).normal(size=15)
    found = crossed_mean(np.repeat(by_patient[:, None], 3, axis=1))
    assert found.se == pytest.approx(stats.sem(by_patient))
    assert found.df == pytest.approx(14)


def test_patients_without_any_effect_leave_the_t_test_over_seeds() -> None:
    by_seed = np.random.default_rng(3).normal(size=4)
    found = crossed_mean(np.repeat(by_seed[None], 30, axis=0))
    assert found.se == pytest.approx(stats.sem(by_seed))
    assert found.df == pytest.approx(3)


def test_a_stack_of_panels_gives_what_each_gives_alone() -> None:
    stack = np.random.default_rng(4).normal(size=(5, 9, 3))
    together, alone = crossed_mean(stack), [crossed_mean(one) for one in stack]
    assert together.se == pytest.approx([float(one.se) for one in alone])
    assert together.df == pytest.approx([float(one.df) for one in alone])


@pytest.mark.parametrize("values", [np.ones((1, 3)), np.ones((5, 1)), np.full((5, 3), np.nan)])
def test_too_few_or_missing_values_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected at least 2 x 2"):
        crossed_mean(values)


def test_values_that_never_differ_have_no_degrees_of_freedom() -> None:
    found = crossed_mean(np.ones((6, 3)))
    assert found.se == 0
    assert np.isnan(found.df)


def test_a_part_below_nothing_counts_as_nothing() -> None:
    """Every seed has the same mean, so that the rest alone says that seeds agree too well."""
    values = np.random.default_rng(5).normal(size=(10, 3)) + 3 * np.arange(10)[:, None]
    values -= values.mean(axis=0) - values.mean()
    ms, found = mean_squares(values), crossed_mean(values)
    assert ms.seeds < ms.rest
    assert found.se == pytest.approx(np.sqrt(ms.patients / 30))
    assert found.df == 9


def parts(patient: float, seed: float, rest: float, sampling: float, *, draws: int, s: int = 20) -> dict[str, float]:
    rng = np.random.default_rng(0)
    cells = rng.normal(0, patient, (300, 1)) + rng.normal(0, seed, (1, s)) + rng.normal(0, rest, (300, s))
    repeats = cells[:, :, None] + rng.normal(0, sampling, (300, s, draws))
    one = replace(panel("a", repeats.mean(axis=2)), repeats=repeats)
    return {part.source: part.sd for part in variance_parts(one)}


def test_each_source_is_told_from_the_others() -> None:
    found = parts(0.2, 0.05, 0.03, 0.02, draws=3)
    assert found["patient"] == pytest.approx(0.2, rel=0.1)
    assert found["training seed"] == pytest.approx(0.05, rel=0.35)
    assert found["patient x seed"] == pytest.approx(0.03, rel=0.05)
    assert found["sampling seed"] == pytest.approx(0.02, rel=0.05)


def test_one_sampling_seed_is_part_of_the_rest() -> None:
    found = parts(0.2, 0.05, 0.03, 0.04, draws=1)
    assert "sampling seed" not in found
    assert found["patient x seed"] == pytest.approx(0.05, rel=0.05)


def test_three_seeds_leave_half_to_six_times_the_estimate() -> None:
    values = np.repeat([[0.0, 1.0, 2.0]], 400, axis=0) + np.random.default_rng(1).normal(0, 1e-3, (400, 3))
    seed = variance_parts(panel("a", values))[1]
    assert seed.low / seed.sd == pytest.approx(0.52, abs=0.01)
    assert seed.high / seed.sd == pytest.approx(6.28, abs=0.02)


def test_intervals_hold_the_truth() -> None:
    rng, held = np.random.default_rng(2), []
    for _ in range(400):
        values = rng.normal(0, 1, (20, 1)) + rng.normal(0, 0.5, (1, 5)) + rng.normal(0, 1, (20, 5))
        patient, seed, rest = variance_parts(panel("a", values))
        truths = ((patient, 1.0), (seed, 0.5), (rest, 1.0))
        held.append([part.low <= truth <= part.high for part, truth in truths])
    assert (np.mean(held, axis=0) > 0.92).all()


def test_a_single_seed_has_no_parts() -> None:
    assert variance_parts(panel("a", np.ones((10, 1)))) == []


@pytest.mark.parametrize("draws", [1, 3])
@pytest.mark.parametrize(("n", "s"), [(12, 4), (5, 9)])
def test_the_parts_share_out_all_degrees_of_freedom(n: int, s: int, draws: int) -> None:
    repeats = np.random.default_rng(1).normal(size=(n, s, draws))
    found = variance_parts(replace(panel("a", repeats.mean(axis=2)), repeats=repeats))
    assert sum(part.df for part in found) == n * s * draws - 1
    assert [part.df for part in found[:2]] == [n - 1, s - 1]


def test_the_last_part_has_the_interval_of_a_variance() -> None:
    repeats = np.random.default_rng(2).normal(0, 0.3, size=(12, 4, 3))
    last = variance_parts(replace(panel("a", repeats.mean(axis=2)), repeats=repeats))[-1]
    within = repeats.var(axis=2, ddof=1).mean()
    assert last.sd == pytest.approx(np.sqrt(within))
    ends = np.sqrt(last.df * within / stats.chi2.ppf([0.975, 0.025], last.df))
    assert (last.low, last.high) == pytest.approx(tuple(ends))
    assert last.low < last.sd < last.high

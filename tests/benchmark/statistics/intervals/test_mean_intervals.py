"""Bootstrap-t: close to Student's t for even values, lopsided for skewed ones."""

from math import inf

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from benchmark.statistics.intervals.bootstrap_t import Resamples, bootstrap_t, seeded_resamples
from benchmark.statistics.intervals.mean import exact_interval, intervals, limits
from benchmark.statistics.intervals.mean import interval as interval_of
from benchmark.statistics.panel import QUESTIONS, Question


def interval(values: np.ndarray, seed: int = 0) -> tuple[float, float]:
    low, high = bootstrap_t(values, seeded_resamples(len(values), seed), alpha=0.05)
    return float(low), float(high)


def test_even_values_give_about_the_interval_of_students_t() -> None:
    values = np.random.default_rng(0).normal(3, 2, 200)
    low, high = stats.t.interval(0.95, 199, values.mean(), stats.sem(values))
    assert interval(values) == pytest.approx((low, high), abs=0.04)


def test_turning_the_values_round_turns_the_interval_round() -> None:
    values = np.random.default_rng(4).lognormal(0, 1, 30)
    low, high = interval(values)
    assert interval(-values) == pytest.approx((-high, -low), abs=0.01 * (high - low))


def test_a_tail_to_the_right_draws_the_interval_to_the_right() -> None:
    values = np.random.default_rng(1).lognormal(0, 1.2, 40)
    low, high = interval(values)
    assert high - values.mean() > 1.5 * (values.mean() - low)


def test_it_covers_skewed_means_better_than_students_t() -> None:
    rng, truth = np.random.default_rng(2), np.exp(0.5)
    samples = rng.lognormal(0, 1, (300, 20))
    ends = [bootstrap_t(one, Resamples.of(20, rng, rounds=599), alpha=0.05) for one in samples]
    ours = [low <= truth <= high for low, high in ends]
    reach = stats.t.isf(0.025, 19) * stats.sem(samples, axis=1)
    assert np.mean(ours) > 0.91
    assert np.mean(ours) > np.mean(abs(samples.mean(axis=1) - truth) <= reach) + 0.02


def test_values_that_hardly_differ_have_no_interval() -> None:
    assert np.isnan(interval(np.zeros(10))).all()
    assert np.isnan(interval(np.array([1.0, 0, 0, 0, 0, 0]))).all()


def test_it_is_the_same_for_the_same_seed_alone() -> None:
    values = np.random.default_rng(3).normal(size=30)
    assert interval(values) == interval(values)
    assert interval(values) != interval(values, seed=1)


def resample_by_resample(values: np.ndarray, drawn: np.ndarray, alpha: float) -> tuple[float, float]:
    """The definition: each resample of one mean summed by itself."""
    n, centred = values.size, values - values.mean()
    t = []
    for resample in centred[drawn]:
        off = resample.mean()
        variance = (np.einsum("i,i->", resample, resample) - n * off**2) / (n - 1)
        spread = np.sqrt(variance) if variance > 1e-12 * values.var() else 0.0
        t.append(off * np.sqrt(n) / spread if spread else np.inf * np.sign(off) if off else 0.0)
    high, low = np.quantile(t, [1 - alpha / 2, alpha / 2], method="inverted_cdf")
    ends = values.mean() - values.std(ddof=1) / np.sqrt(n) * np.array([high, low])
    return tuple(ends) if np.isfinite(ends).all() else (np.nan, np.nan)


@pytest.mark.parametrize("n", [6, 13, 90])
@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_many_at_once_are_to_the_last_digit_what_each_is_by_its_own_resamples(n: int, alpha: float) -> None:
    rng = np.random.default_rng(n)
    values = np.concatenate([
        rng.normal(1, 0.1, (4, n)), 1 + 1e-10 * rng.normal(size=(2, n)), rng.lognormal(0, 2, (4, n)),
        rng.integers(0, 3, (4, n)) / 10, (rng.random((4, n)) < 0.3) * rng.normal(0.5, 1, (4, n)),
        np.full((1, n), 0.1), np.eye(1, n),
    ])  # fmt: skip
    resamples = seeded_resamples(n, 2)
    theirs = [resample_by_resample(one, resamples.drawn, alpha) for one in values]
    assert np.isfinite(theirs).any()
    assert np.isnan(theirs).any()
    np.testing.assert_array_equal(np.transpose(bootstrap_t(values, resamples, alpha=alpha)), theirs)
    for one, ends in zip(values, theirs, strict=True):
        np.testing.assert_array_equal(bootstrap_t(one, resamples, alpha=alpha), ends)


@pytest.mark.parametrize("question", QUESTIONS)
def test_intervals_of_many_are_those_of_each_in_their_order(question: Question) -> None:
    rng = np.random.default_rng(0)
    panels = [rng.normal(0, 0.1, (n, s)) for n in (30, 5, 12, 30) for s in (1, 3, 4)] + [np.zeros((30, 3))]
    panels += [np.asfortranarray(one) for one in panels] + [rng.normal(size=(30, 3)) * np.eye(30, 1)]
    found = intervals(panels, question, "difference", alpha=0.05, within=(-0.04, 0.04))
    alone = [interval_of(one, question, "difference", alpha=0.05, within=(-0.04, 0.04)) for one in panels]
    assert [str(one) for one in found] == [str(one) for one in alone]  # NaN is no other than NaN
    assert len({one.coverage for one in found}) > 3


@pytest.mark.parametrize(("count", "n"), [(0, 30), (1, 30), (7, 12), (30, 30), (1, 1)])
def test_it_is_clopper_and_pearsons(count: int, n: int) -> None:
    assert exact_interval(count, n, alpha=0.05) == pytest.approx(proportion_confint(count, n, 0.05, method="beta"))


def test_it_holds_the_truth_often_enough_for_means_over_seeds_too() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(400):
        people = rng.random((20, 1)) < 0.2
        values = np.where(rng.random((20, 3)) < 0.9, people, ~people).mean(axis=1)  # three seeds that mostly agree
        low, high = exact_interval(float(values.sum()), 20, alpha=0.05)
        held.append(low <= 0.2 * 0.9 + 0.8 * 0.1 <= high)
    assert np.mean(held) >= 0.95


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("of", "sign"), [("mean", 1), ("difference", 1), ("difference", -1)])
def test_an_interval_of_a_bounded_metric_stays_in_its_bounds(question: Question, of: str, sign: int) -> None:
    """Seven patients, one far from the rest."""
    values = sign * np.repeat([[0.97], [0.99], [0.98], [0.99], [0.97], [0.98], [0.02]], 3, axis=1)
    values += np.random.default_rng(0).normal(0, 0.001, values.shape)
    low, high = limits("auprc", of)  # type: ignore[arg-type]
    free = interval_of(values, question, of, alpha=0.05)  # type: ignore[arg-type]
    kept = interval_of(values, question, of, alpha=0.05, within=(low, high))  # type: ignore[arg-type]
    assert min(free.high, -free.low) > 1 or max(free.high, -free.low) > 1
    assert (kept.low, kept.high) == (max(free.low, low), min(free.high, high))


def test_the_bounds_of_a_difference_are_as_far_apart_as_two_values_can_be() -> None:
    assert limits("dice", "mean") == (0, 1)
    assert limits("dice", "difference") == (-1, 1)
    assert limits("hd95", "difference") == (-inf, inf)
    assert limits("l1_ratio", "mean") == (-inf, inf)  # of logarithms


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(
    ("shape", "spread", "why"),
    [((4, 3), 1.0, "4 patients"), ((9, 3), 0.0, "too few different values"), ((9, 3), 1.0, "")],
)
def test_with_or_without_ends_an_interval_says_of_what_it_is_and_why(
    question: Question, shape: tuple[int, int], spread: float, why: str
) -> None:
    values = 0.4 + spread * np.random.default_rng(0).normal(0, 0.1, shape)
    found = interval_of(values, question, "mean", alpha=0.1)
    assert (found.n, found.s, found.question, found.level) == (*shape, question, 0.9)
    assert found.mean == pytest.approx(values.mean())
    assert found.why_none.startswith(why)
    assert bool(found.why_none) == bool(why) == (not found.method) == bool(np.isnan([found.low, found.high]).all())
    assert why or found.low < found.mean < found.high

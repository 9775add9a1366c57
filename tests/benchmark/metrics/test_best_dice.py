"""The best Dice and its threshold against brute force over all thresholds."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.metrics import dice
from benchmark.metrics.masks import above
from benchmark.metrics.ranking import best_dice

Scores = NDArray[np.float32] | NDArray[np.float64]
Mask = NDArray[np.bool_]

pools = st.tuples(
    st.integers(1, 60),
    st.sampled_from([1, 2, 4, 30, 100_000]),
    st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    st.sampled_from([0.0, 1.0, 7.0]),
    st.sampled_from([np.float32, np.float64]),
    st.integers(0, 2**32 - 1),
)
Pool = tuple[int, int, float, float, type[np.floating], int]


def drawn(pool: Pool) -> tuple[Scores, Mask, float]:
    size, levels, prevalence, missed, dtype, seed = pool
    rng = np.random.default_rng(seed)
    scores = (rng.integers(0, levels, size) / levels).astype(dtype)
    return scores, rng.random(size) < prevalence, missed


def every_dice(scores: Scores, lesion: Mask, missed: float) -> dict[float, float]:
    """Dice of every prediction there is but the empty one, by the lowest score predicted."""
    lowest = np.unique(scores[scores > 0]).tolist()
    return {score: dice(scores >= score, lesion, missed=missed) for score in lowest}


@settings(max_examples=400, deadline=None)
@given(pools)
def test_brute_force_over_all_thresholds_finds_nothing_better_and_nothing_higher(pool: Pool) -> None:
    scores, lesion, missed = drawn(pool)
    threshold = best_dice(scores, lesion, missed=missed)[1]
    if not lesion.any() and not missed:
        assert isnan(threshold)
        assert isnan(best_dice(scores, lesion)[0])
        return
    reached = dice(above(scores, threshold), lesion, missed=missed)
    everything = every_dice(scores, lesion, missed)
    assert reached == max(everything.values(), default=0)
    assert best_dice(scores, lesion, missed=missed)[0] == reached
    assert not any(lowest > scores[scores > threshold].min() for lowest in everything if everything[lowest] == reached)


@settings(max_examples=200, deadline=None)
@given(pools)
def test_the_threshold_is_halfway_to_the_next_lower_score(pool: Pool) -> None:
    scores, lesion, missed = drawn(pool)
    threshold = best_dice(scores, lesion, missed=missed)[1]
    if isnan(threshold) or not scores.any():
        return
    upper = float(scores[scores > threshold].min())
    lower = float(scores[scores <= threshold].max(initial=0))
    assert threshold == pytest.approx((lower + upper) / 2, rel=1e-6)


def test_the_best_threshold_of_a_hand_made_pool() -> None:
    """From 0.6 up: 2 of 3 lesion voxels and 1 other, Dice 2/3; from 0.8 up 0.5, from 0.2 up 0.6."""
    scores = np.array([0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.0])
    lesion = np.array([True, False, True, False, False, True, False])
    assert best_dice(scores, lesion)[1] == pytest.approx(0.5)
    assert best_dice(scores, lesion)[0] == pytest.approx(2 / 3)


def test_of_equal_dice_the_highest_threshold_is_taken() -> None:
    """1 of 2 lesion voxels alone, and both among 4 predicted, have Dice 2/3 alike."""
    scores = np.array([0.9, 0.5, 0.4, 0.3, 0.1])
    lesion = np.array([True, False, False, True, False])
    assert best_dice(scores, lesion)[0] == pytest.approx(2 / 3)
    assert best_dice(scores, lesion)[1] == pytest.approx(0.7)


def test_below_the_lowest_score_the_threshold_is_half_of_it() -> None:
    scores, lesion = np.array([0.8, 0.4]), np.array([True, True])
    assert best_dice(scores, lesion)[1] == pytest.approx(0.2)


def test_missed_voxels_lower_the_best_dice_and_may_lower_its_threshold() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    lesion = np.array([True, False, False, True, False])
    assert best_dice(scores, lesion)[1] > best_dice(scores, lesion, missed=4)[1]
    assert best_dice(scores, lesion, missed=4)[0] == pytest.approx(2 * 2 / (4 + 6))


def test_zero_scores_are_never_predicted_even_where_that_would_raise_dice() -> None:
    scores, lesion = np.array([0.5, 0.0, 0.0]), np.array([False, True, True])
    assert best_dice(scores, lesion)[0] == 0
    assert best_dice(scores, lesion)[1] == 0.25
    assert best_dice(np.zeros(3), lesion)[1] == 0
    assert not above(np.zeros(3), 0).any()


def test_a_threshold_between_neighbouring_float32_scores_still_separates_them() -> None:
    for start in (0.3, 0.7, 1.0, 123.4):
        low = np.float32(start)
        for _ in range(4):
            high = np.nextafter(low, np.float32(np.inf))
            scores, lesion = np.array([low, high], dtype=np.float32), np.array([False, True])
            threshold = best_dice(scores, lesion)[1]
            np.testing.assert_array_equal(scores > threshold, lesion)
            np.testing.assert_array_equal(above(scores, threshold), lesion)
            low = high


def test_the_smallest_float_there_is_can_be_found() -> None:
    scores = np.array([0, np.finfo(np.float32).smallest_subnormal], dtype=np.float32)
    threshold = best_dice(scores, np.array([False, True]))[1]
    assert above(scores, threshold).tolist() == [False, True]


def test_two_hundred_quantiles_miss_the_best_threshold_of_a_rare_lesion() -> None:
    """At a prevalence of 0.05 % the best threshold lies far above the highest inner quantile."""
    rng = np.random.default_rng(0)
    lesion = np.arange(400_000) < 200
    scores = np.abs(rng.normal(size=lesion.size) + 3 * lesion).astype(np.float32)
    quantiles = np.quantile(scores, np.linspace(0, 1, 201)[:-1])
    searched = max(dice(scores > threshold, lesion) for threshold in quantiles)
    exact, threshold = best_dice(scores, lesion)
    assert exact > 1.5 * searched
    assert exact == dice(above(scores, threshold), lesion)


@pytest.mark.parametrize("bad", [np.nan, -0.5])
def test_scores_that_are_no_anomaly_scores_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="Got a score"):
        best_dice(np.array([0.5, bad]), np.array([True, False]))


@pytest.mark.parametrize("bad", [np.nan, -0.5])
def test_a_negative_or_missing_threshold_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="expected 0 or more"):
        above(np.array([0.5]), bad)


def test_a_threshold_is_compared_in_its_own_precision() -> None:
    score = np.array([0.1], dtype=np.float32)
    just_below = np.nextafter(np.float64(score[0]), 0)
    assert above(score, float(just_below)).all()
    assert not above(score, float(score[0])).any()

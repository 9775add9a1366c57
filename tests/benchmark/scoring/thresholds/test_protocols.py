"""Thresholds against brute force over all of them."""

from math import isnan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmark.metrics import dice
from benchmark.scoring.thresholds.protocols import (
    above,
    best_dice,
    best_dice_threshold,
    healthy_alarm_threshold,
    healthy_fpr_threshold,
)
from benchmark.study.protocols import PROTOCOLS, protocol_named, scans_needed
from datasets.errors import UnknownName

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
    threshold = best_dice_threshold(scores, lesion, missed=missed)
    if not lesion.any() and not missed:
        assert isnan(threshold)
        assert isnan(best_dice(scores, lesion))
        return
    reached = dice(above(scores, threshold), lesion, missed=missed)
    everything = every_dice(scores, lesion, missed)
    assert reached == max(everything.values(), default=0)
    assert best_dice(scores, lesion, missed=missed) == reached
    assert not any(lowest > scores[scores > threshold].min() for lowest in everything if everything[lowest] == reached)


@settings(max_examples=200, deadline=None)
@given(pools)
def test_the_threshold_is_halfway_to_the_next_lower_score(pool: Pool) -> None:
    scores, lesion, missed = drawn(pool)
    threshold = best_dice_threshold(scores, lesion, missed=missed)
    if isnan(threshold) or not scores.any():
        return
    upper = float(scores[scores > threshold].min())
    lower = float(scores[scores <= threshold].max(initial=0))
    assert threshold == pytest.approx((lower + upper) / 2, rel=1e-6)


def test_the_best_threshold_of_a_hand_made_pool() -> None:
    """From 0.6 up: 2 of 3 lesion voxels and 1 other, Dice 2/3; from 0.8 up 0.5, from 0.2 up 0.6."""
    scores = np.array([0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.0])
    lesion = np.array([True, False, True, False, False, True, False])
    assert best_dice_threshold(scores, lesion) == pytest.approx(0.5)
    assert best_dice(scores, lesion) == pytest.approx(2 / 3)


def test_of_equal_dice_the_highest_threshold_is_taken() -> None:
    """1 of 2 lesion voxels alone, and both among 4 predicted, have Dice 2/3 alike."""
    scores = np.array([0.9, 0.5, 0.4, 0.3, 0.1])
    lesion = np.array([True, False, False, True, False])
    assert best_dice(scores, lesion) == pytest.approx(2 / 3)
    assert best_dice_threshold(scores, lesion) == pytest.approx(0.7)


def test_below_the_lowest_score_the_threshold_is_half_of_it() -> None:
    scores, lesion = np.array([0.8, 0.4]), np.array([True, True])
    assert best_dice_threshold(scores, lesion) == pytest.approx(0.2)


def test_missed_voxels_lower_the_best_dice_and_may_lower_its_threshold() -> None:
    scores = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    lesion = np.array([True, False, False, True, False])
    assert best_dice_threshold(scores, lesion) > best_dice_threshold(scores, lesion, missed=4)
    assert best_dice(scores, lesion, missed=4) == pytest.approx(2 * 2 / (4 + 6))


def test_zero_scores_are_never_alarms_even_where_that_would_raise_dice() -> None:
    scores, lesion = np.array([0.5, 0.0, 0.0]), np.array([False, True, True])
    assert best_dice(scores, lesion) == 0
    assert best_dice_threshold(scores, lesion) == 0.25
    assert best_dice_threshold(np.zeros(3), lesion) == 0
    assert not above(np.zeros(3), 0).any()


def test_a_threshold_between_neighbouring_float32_scores_still_separates_them() -> None:
    for start in (0.3, 0.7, 1.0, 123.4):
        low = np.float32(start)
        for _ in range(4):
            high = np.nextafter(low, np.float32(np.inf))
            scores, lesion = np.array([low, high], dtype=np.float32), np.array([False, True])
            threshold = best_dice_threshold(scores, lesion)
            np.testing.assert_array_equal(scores > threshold, lesion)
            np.testing.assert_array_equal(above(scores, threshold), lesion)
            low = high


def test_the_smallest_float_there_is_can_be_found() -> None:
    scores = np.array([0, np.finfo(np.float32).smallest_subnormal], dtype=np.float32)
    threshold = best_dice_threshold(scores, np.array([False, True]))
    assert above(scores, threshold).tolist() == [False, True]


def test_two_hundred_quantiles_miss_the_best_threshold_of_a_rare_lesion() -> None:
    """At a prevalence of 0.05 % the best threshold lies far above the highest inner quantile."""
    rng = np.random.default_rng(0)
    lesion = np.arange(400_000) < 200
    scores = np.abs(rng.normal(size=lesion.size) + 3 * lesion).astype(np.float32)
    quantiles = np.quantile(scores, np.linspace(0, 1, 201)[:-1])
    searched = max(dice(scores > threshold, lesion) for threshold in quantiles)
    exact = best_dice(scores, lesion)
    assert exact > 1.5 * searched
    assert exact == dice(above(scores, best_dice_threshold(scores, lesion)), lesion)


@pytest.mark.parametrize("bad", [np.nan, -0.5])
def test_scores_that_are_no_anomaly_scores_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="Got a score"):
        best_dice_threshold(np.array([0.5, bad]), np.array([True, False]))


@pytest.mark.parametrize("bad", [np.nan, -0.5])
def test_a_negative_or_missing_threshold_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="wanted 0 or more"):
        above(np.array([0.5]), bad)


def test_a_threshold_is_compared_in_its_own_precision() -> None:
    score = np.array([0.1], dtype=np.float32)
    just_below = np.nextafter(np.float64(score[0]), 0)
    assert above(score, float(just_below)).all()
    assert not above(score, float(score[0])).any()


def test_the_healthy_threshold_is_the_mean_of_the_scans_quantiles() -> None:
    """101 scores 0, 0.01, ... 1 have their 90 % quantile at 0.9; half as high ones at 0.45."""
    scan = np.arange(101) / 100
    assert healthy_fpr_threshold([scan, scan / 2], 0.1) == pytest.approx((0.9 + 0.45) / 2)
    assert healthy_fpr_threshold(iter([scan]), 0.1) == pytest.approx(0.9)


def test_the_healthy_threshold_weighs_scans_alike_whatever_their_size() -> None:
    small, large = np.zeros(10), np.ones(10_000)
    assert healthy_fpr_threshold([small, large], 0.5) == 0.5


@pytest.mark.parametrize("rate", [0.05, 0.01, 0.001])
def test_the_healthy_threshold_lets_that_part_of_a_brain_through(rate: float) -> None:
    scan = np.random.default_rng(0).random(100_000, dtype=np.float32)
    assert above(scan, healthy_fpr_threshold([scan], rate)).mean() == pytest.approx(rate, abs=2e-5)


def test_a_healthy_threshold_needs_scans_with_voxels_and_a_rate() -> None:
    with pytest.raises(ValueError, match="no healthy scan"):
        healthy_fpr_threshold([], 0.01)
    with pytest.raises(ValueError, match="without brain voxels"):
        healthy_fpr_threshold([np.zeros(0)], 0.01)
    with pytest.raises(ValueError, match=r"Got rate 5"):
        healthy_fpr_threshold([np.ones(3)], 5)


def test_the_alarm_threshold_is_a_conformal_rank() -> None:
    """Of 9 scans the 9th smallest of 10 places, of 19 at 5 % the 19th; of 29 at 10 % the 27th."""
    assert healthy_alarm_threshold([*range(9)], 0.1) == 8
    assert healthy_alarm_threshold([*range(29)], 0.1) == 26
    assert healthy_alarm_threshold([*range(19)], 0.05) == 18
    assert [scans_needed(rate) for rate in (0.1, 0.05, 0.2, 0.3)] == [9, 19, 4, 3]


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.2, 0.3])
def test_too_few_scans_promise_nothing(rate: float) -> None:
    few = scans_needed(rate) - 1
    assert isnan(healthy_alarm_threshold([1.0] * few, rate))
    assert healthy_alarm_threshold([1.0] * (few + 1), rate) == 1


def test_a_new_scan_raises_an_alarm_no_more_often_than_promised() -> None:
    levels = np.random.default_rng(0).normal(size=(10_000, 25)) ** 2
    alarmed = [new > healthy_alarm_threshold(known, 0.1) for new, *known in levels.tolist()]
    assert 0.06 < np.mean(alarmed) <= 0.1


def test_a_transfer_names_its_cohort_and_other_names_are_refused() -> None:
    assert protocol_named("transfer:lgg").cohort == "lgg"
    assert protocol_named("oracle") is PROTOCOLS["oracle"]
    for bad in ("transfer:", "transfer", "lesion-vol"):
        with pytest.raises(UnknownName, match=f"No protocol '{bad}'"):
            protocol_named(bad)


def test_protocols_carry_their_rate_as_data_and_only_oracles_see_test_labels() -> None:
    rates = {name: protocol.rate for name, protocol in PROTOCOLS.items() if protocol.uses == "healthy-val"}
    fractions = {"healthy-fpr-0.1": 0.001, "healthy-fpr-1": 0.01, "healthy-fpr-5": 0.05}
    assert rates == {**fractions, "healthy-alarm-10": 0.1}
    upper_bounds = [name for name, protocol in PROTOCOLS.items() if protocol.sees_test_labels]
    assert upper_bounds == ["oracle", "oracle-case", "oracle-cross"]
    assert all(name == protocol.name for name, protocol in PROTOCOLS.items())

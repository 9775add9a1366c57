"""The guarantee by simulation, and the ranks by hand."""

import numpy as np
import pytest
from error_rates import conformal_rate
from scipy import stats

from benchmark.statistics.conformal import (
    ScanThreshold,
    VoxelP,
    rate_given_scans,
    scan_threshold,
    scans_needed,
    split_rates,
)
from benchmark.statistics.intervals.mean import exact_interval
from datasets.errors import BadValue


@pytest.mark.parametrize(("alpha", "needed"), [(0.05, 19), (0.1, 9), (0.01, 99), (0.3, 3)])
def test_an_alarm_rate_takes_so_many_scans(alpha: float, needed: int) -> None:
    assert scans_needed(alpha) == needed
    assert scan_threshold(list(range(needed)), alpha).rank == needed
    with pytest.raises(BadValue, match=f"expected at least {needed}"):
        scan_threshold(list(range(needed - 1)), alpha)


def test_the_rank_leaves_no_more_above_it_than_alpha() -> None:
    found = scan_threshold(list(range(1, 40)), 0.05)
    assert (found.rank, found.threshold, found.guaranteed) == (38, 38, 0.05)


@pytest.mark.parametrize("scans", [9, 44])
def test_a_rate_from_the_scans_that_chose_the_checkpoint_is_nominal_only(scans: int) -> None:
    once, often = (conformal_rate(scans=scans, looks=looks, own=1.0, tied=1.0, runs=2000).rate for looks in (1, 20))
    assert once <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 2000)
    assert often > 0.115


@pytest.mark.parametrize("m", [20, 30, 57])
def test_a_new_scan_raises_an_alarm_no_more_often_than_guaranteed(m: int) -> None:
    """Whatever the distribution: here skewed, with many scans that never raise one."""
    rng, runs = np.random.default_rng(m), 4000
    levels = np.maximum(0, rng.standard_t(2, (runs, m + 1)))
    thresholds = [scan_threshold(one[:-1].tolist(), 0.1) for one in levels]
    rate = np.mean([one[-1] > found.threshold for one, found in zip(levels, thresholds, strict=True)])
    guaranteed = thresholds[0].guaranteed
    assert guaranteed <= 0.1
    assert rate == pytest.approx(guaranteed, abs=4 * np.sqrt(0.1 * 0.9 / runs))


def test_one_calibration_lies_where_it_is_said_to() -> None:
    rng, m = np.random.default_rng(0), 30
    found = [scan_threshold(rng.uniform(size=m).tolist(), 0.05) for _ in range(3000)]
    low, high = rate_given_scans(found[0])
    true_rates = np.array([1 - one.threshold for one in found])
    assert np.mean((low <= true_rates) & (true_rates <= high)) == pytest.approx(0.95, abs=0.015)


def test_a_random_healthy_voxel_has_a_small_p_no_more_often_than_it_says() -> None:
    rng, ps = np.random.default_rng(1), []
    for _ in range(1500):
        scans = [rng.normal(rng.normal(0, 1), rng.uniform(0.5, 2), rng.integers(20, 200)) for _ in range(21)]
        ps.append(VoxelP(scans[:-1])(scans[-1][:1])[0])
    for alpha in (0.05, 0.1, 0.3):
        assert np.mean(np.array(ps) <= alpha) <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / 1500)
    assert np.mean(np.array(ps) <= 0.3) > 0.15


def test_p_values_count_scans_alike_whatever_their_size() -> None:
    p = VoxelP([np.array([1.0, 2.0]), np.array([3.0, 3, 3, 3])])
    assert p.smallest == pytest.approx(1 / 3)
    assert p(np.array([4.0, 3.0, 2.0, 0.0])) == pytest.approx([1 / 3, 2 / 3, 2.5 / 3, 1.0])


def test_halves_of_exchangeable_scans_keep_the_rate() -> None:
    levels = np.random.default_rng(2).exponential(size=40).tolist()
    assert split_rates(levels, 0.1).mean() == pytest.approx(2 / 21, abs=0.02)
    with pytest.raises(BadValue, match="20 healthy scans"):
        split_rates(levels, 0.01)


def test_a_share_has_the_interval_of_clopper_and_pearson() -> None:
    for found, of in ((0, 10), (3, 10), (10, 10)):
        theirs = stats.binomtest(found, of).proportion_ci(method="exact")
        assert exact_interval(found, of, alpha=0.05) == pytest.approx((theirs.low, theirs.high))
    assert exact_interval(0, 0, alpha=0.05) == (0, 1)


@pytest.mark.parametrize("alpha", [0.0, 1.0, 1.5])
def test_an_alarm_rate_is_a_fraction(alpha: float) -> None:
    with pytest.raises(BadValue, match="expected a fraction"):
        scan_threshold([1.0] * 50, alpha)


def test_the_guarantee_follows_from_the_rank() -> None:
    assert ScanThreshold(1.0, 0.05, 30, 30).guaranteed == pytest.approx(1 / 31)

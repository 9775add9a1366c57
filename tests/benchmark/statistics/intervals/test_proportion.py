"""The exact interval of a share, against statsmodels and by how often it holds the truth."""

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from benchmark.statistics.intervals.proportion import exact_interval


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

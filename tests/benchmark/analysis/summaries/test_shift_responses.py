"""Areas under dose-response curves, against NumPy's trapezoid and by hand."""

import numpy as np
import pytest

from benchmark.analysis.summaries.shift_responses import mean_over_dose


def test_the_mean_over_doses_is_the_integral_of_the_broken_line() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        doses = np.concatenate([[0.0], np.sort(rng.uniform(0.01, 1, 4))])
        values = rng.random((3, 5))
        fine = np.linspace(0, doses[-1], 20001)
        wanted = [np.interp(fine, doses, line).mean() for line in values]
        assert mean_over_dose(doses, values) == pytest.approx(wanted, abs=1e-3)


def test_the_order_of_levels_does_not_matter_and_a_missing_level_leaves_no_area() -> None:
    doses, values = np.array([0.2, 0.0, 0.1]), np.array([[0.1, 0.5, 0.3], [0.1, np.nan, 0.3]])
    found = mean_over_dose(doses, values)
    assert found[0] == pytest.approx(0.3)
    assert np.isnan(found[1])


def test_without_any_dose_there_is_no_area() -> None:
    assert np.isnan(mean_over_dose(np.zeros(2), np.ones(2)))

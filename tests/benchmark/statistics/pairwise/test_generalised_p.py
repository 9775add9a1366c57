"""The test of a recipe: its level where Satterthwaite's t breaks it, and its simple cases."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import patients
from scipy import stats
from simulated_studies import POPULATIONS, draw

from benchmark.statistics.intervals.crossed_effects import crossed_mean
from benchmark.statistics.pairwise import generalised_p as generalised


def test_it_keeps_one_percent_where_satterthwaite_spends_three_times_that() -> None:
    """480 patients and 3 seeds with a small effect of the seed: the setting of the worst excess."""
    runs = 1500
    values = draw(replace(POPULATIONS[1], seed=0.04), np.random.default_rng(0), runs=runs, n=480, s=3).values
    differences = values[:, 0] - values[:, 1]
    found = crossed_mean(differences)
    satterthwaite = 2 * stats.t.sf(abs(found.mean) / found.se, found.df)
    p = np.concatenate([generalised.two_sided_p(part) for part in np.array_split(differences, 15)])
    assert (p <= 0.01).mean() <= 0.01 + 3 * np.sqrt(0.01 * 0.99 / runs)
    assert (satterthwaite <= 0.01).mean() > 0.025


def test_many_seeds_and_patients_leave_the_normal_test() -> None:
    rng = np.random.default_rng(1)
    values = 0.02 + rng.normal(0, 0.1, (400, 1)) + rng.normal(0, 0.05, (1, 300)) + rng.normal(0, 0.1, (400, 300))
    found = crossed_mean(values)
    assert generalised.one_sided_p(values) == pytest.approx(stats.norm.sf(found.mean / found.se), rel=0.05)


def test_the_two_sides_mirror_each_other() -> None:
    values = patients(20, 3) - 0.3
    assert generalised.one_sided_p(values) == pytest.approx(1 - generalised.one_sided_p(-values))
    assert generalised.two_sided_p(values) == pytest.approx(generalised.two_sided_p(-values))
    assert generalised.one_sided_p(values, 0.1) == pytest.approx(generalised.one_sided_p(values - 0.1))


def test_equal_data_give_equal_p_values_and_a_farther_mean_a_smaller_one() -> None:
    values = patients(20, 3) - 0.3
    assert generalised.two_sided_p(values) == generalised.two_sided_p(values.copy())
    p = [float(generalised.one_sided_p(values + shift)) for shift in (0.0, 0.05, 0.1, 0.2)]
    assert p == sorted(p, reverse=True)
    assert p[0] > p[-1]


def test_half_width_is_where_the_p_value_falls_to_alpha() -> None:
    values = patients(20, 3)
    centred = values - values.mean()
    width = generalised.half_widths(values, 0.01)
    assert generalised.two_sided_p(centred + width) == pytest.approx(0.01, rel=1e-3)


def test_nothing_that_varies_leaves_nothing_open() -> None:
    assert generalised.two_sided_p(np.zeros((6, 3))) == 1
    assert generalised.two_sided_p(np.ones((6, 3))) == 0
    assert generalised.half_widths(np.ones((6, 3)), 0.05) == 0

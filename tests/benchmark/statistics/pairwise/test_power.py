"""Minimum detectable effects against statsmodels, and by simulation for recipes."""

import numpy as np
import pytest
from comparisons import patients
from statsmodels.stats.power import TTestPower

from benchmark.statistics.intervals.crossed_effects import crossed_mean
from benchmark.statistics.pairwise import generalised_p as generalised
from benchmark.statistics.pairwise.power import detectable, detectable_procedure


@pytest.mark.parametrize(("n", "alpha", "power"), [(6, 0.05, 0.8), (54, 0.05 / 10, 0.8), (1151, 0.05 / 55, 0.9)])
def test_it_is_what_statsmodels_solves_for(n: int, alpha: float, power: float) -> None:
    theirs = TTestPower().solve_power(effect_size=None, nobs=n, alpha=alpha, power=power)
    assert detectable(0.2, n, alpha=alpha, power=power) == pytest.approx(0.2 * theirs, rel=1e-3)


def test_methods_that_never_differ_can_show_anything() -> None:
    assert detectable(0.0, 20, alpha=0.05, power=0.8) == 0


def test_a_recipe_asks_for_more_than_the_same_patients_with_fixed_weights() -> None:
    differences = patients(54, 3) - patients(54, 3, seed=1)
    width, se = generalised.half_widths(differences, 0.05), float(crossed_mean(differences).se)
    sd = float(np.std(differences.mean(axis=1), ddof=1))
    assert detectable_procedure(width, se, power=0.8) > 0.99 * detectable(sd, 54, alpha=0.05, power=0.8)

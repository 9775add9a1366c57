"""Errors and power by simulation, small: new training seeds in the null."""

from dataclasses import replace

import numpy as np
import pytest
from error_rates import mistaken_error, power, recipe_error, weights_error
from simulated_studies import POPULATIONS, draw

SKEWED = POPULATIONS[1]


def bound(runs: int) -> float:
    """Five percent and three standard errors."""
    return 0.05 + 3 * float(np.sqrt(0.05 * 0.95 / runs))


@pytest.mark.parametrize(("n", "s", "runs"), [(20, 3, 300), (54, 3, 300), (54, 5, 300), (480, 3, 150)])
@pytest.mark.parametrize("seed", [0.05, 0.15])
def test_recipes_that_differ_by_their_seeds_only_are_told_apart_in_five_percent(
    n: int, s: int, runs: int, seed: float
) -> None:
    assert recipe_error(replace(SKEWED, seed=seed), n=n, s=s, runs=runs).rate <= bound(runs)


def test_ignoring_the_seed_tells_equal_recipes_apart_far_too_often() -> None:
    assert mistaken_error(SKEWED, n=54, s=3, runs=150).rate > 0.12
    assert mistaken_error(SKEWED, n=480, s=3, runs=60).rate > 0.5


@pytest.mark.parametrize("population", POPULATIONS, ids=lambda one: one.name)
def test_equal_weights_are_told_apart_in_five_percent(population: object) -> None:
    assert weights_error(population, n=54, runs=300).rate <= bound(300)  # type: ignore[arg-type]


def test_pairing_finds_what_the_unpaired_test_does_not() -> None:
    paired, unpaired = power(SKEWED, n=54, runs=100, shift=0.25)
    assert paired.rate > 0.6
    assert unpaired.rate < 0.2


def test_a_population_is_bounded_correlated_and_has_the_mean_that_it_says() -> None:
    for population in POPULATIONS:
        drawn = draw(population, np.random.default_rng(0), runs=200, n=400, s=2)
        values = drawn.values
        assert values.min() >= 0
        assert values.max() <= 1
        assert values.mean() == pytest.approx(population.recipe_mean(), abs=0.004)
        between = np.corrcoef(values[:, 0, :, 0].ravel(), values[:, 1, :, 0].ravel())[0, 1]
        assert between > 0.8
        given = population.weights_mean(drawn.seed_effects)
        assert np.abs(values.mean(axis=2) - given).mean() < 0.02
        assert np.corrcoef((values[:, 0] - values[:, 1]).mean(axis=1).ravel(),
                           (given[:, 0] - given[:, 1]).ravel())[0, 1] > 0.8  # fmt: skip

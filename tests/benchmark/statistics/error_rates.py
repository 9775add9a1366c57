"""Error rates and power of the tests, by simulation: studies in which the truth is known."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from simulated_studies import Population, draw

from benchmark.statistics.pairwise import generalised_p as generalised
from benchmark.statistics.pairwise.multiple_testing import holm
from benchmark.statistics.pairwise.permutation import sign_flips, unpaired_permutation_p

Values = NDArray[np.float64]
ROUNDS = 999  # of a permutation: enough for a level of 5 %
BLOCK = 400_000  # values drawn at once


class Rate(NamedTuple):
    """How often a test spoke up.

    Attributes:
        what: "family-wise error" or "power".
        test: which, and in what setting.
    """

    what: str
    test: str
    methods: int
    n: int
    seeds: int
    population: str
    rate: float
    runs: int


def recipe_error(population: Population, *, n: int, s: int, runs: int, methods: int = 4, alpha: float = 0.05) -> Rate:
    """Family-wise error of the test of *this recipe* among methods that differ by nothing but new training seeds."""
    wrong = [
        bool(np.nanmin(holm(generalised.two_sided_p(differences))) <= alpha)
        for differences in _pairs(population, n, s, runs, methods)
    ]
    return _rate("family-wise error", "this recipe: generalised p, Holm", population, n, s, methods, wrong)


def mistaken_error(population: Population, *, n: int, s: int, runs: int, methods: int = 4, alpha: float = 0.05) -> Rate:
    """The same of the test of *these weights*, read as if it spoke of recipes: what ignoring the seed costs."""
    wrong = [_any_flip(differences.mean(axis=-1).T, alpha) for differences in _pairs(population, n, s, runs, methods)]
    return _rate("family-wise error", "seeds averaged and ignored: max-T sign flips", population, n, s, methods, wrong)


def weights_error(population: Population, *, n: int, runs: int, methods: int = 4, alpha: float = 0.05) -> Rate:
    """Family-wise error of the test of *these weights* among weights that are equally good."""
    equal = replace(population, seed=0.0)
    wrong = [_any_flip(differences[..., 0].T, alpha) for differences in _pairs(equal, n, 1, runs, methods)]
    return _rate("family-wise error", "these weights: max-T sign flips", population, n, 1, methods, wrong)


def power(population: Population, *, n: int, runs: int, shift: float, alpha: float = 0.05) -> tuple[Rate, Rate]:
    """Of the paired and of the published unpaired test, on the same studies of two single fits."""
    rng = np.random.default_rng([n, 7])
    values = draw(population, rng, runs=runs, n=n, s=1, shift=shift).values[..., 0]
    paired = [_any_flip((one[0] - one[1])[:, None], alpha) for one in values]
    unpaired = [unpaired_permutation_p(one[0], one[1], rounds=ROUNDS) <= alpha for one in values]
    return (
        _rate("power", "these weights: paired sign flips", population, n, 1, 2, paired),
        _rate("power", "published: unpaired permutation", population, n, 1, 2, unpaired),
    )


def recipe_power(population: Population, *, n: int, s: int, runs: int, shift: float, alpha: float = 0.05) -> Rate:
    """Of the test of *this recipe* for two recipes that truly differ."""
    found = [
        bool(generalised.two_sided_p(differences[0]) <= alpha)
        for differences in _pairs(population, n, s, runs, 2, shift=shift)
    ]
    return _rate("power", "this recipe: generalised p", population, n, s, 2, found)


def _pairs(population: Population, n: int, s: int, runs: int, methods: int, *, shift: float = 0.0) -> Iterator[Values]:
    """`(pairs, n, s)` differences of each simulated study."""
    rng = np.random.default_rng([n, s, methods])
    first, second = np.array(list(combinations(range(methods), 2))).T
    most = max(1, BLOCK // (methods * n * s))
    for start in range(0, runs, most):
        values = draw(population, rng, runs=min(most, runs - start), n=n, s=s, methods=methods, shift=shift).values
        yield from values[:, first] - values[:, second]


def _any_flip(differences: Values, alpha: float) -> bool:
    return bool(sign_flips(differences, rounds=ROUNDS, exact_up_to=8).adjusted.min() <= alpha)


def _rate(what: str, test: str, population: Population, n: int, s: int, methods: int, said: list[bool]) -> Rate:
    return Rate(what, test, methods, n, s, population.name, round(float(np.mean(said)), 4), len(said))

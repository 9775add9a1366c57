"""Error rates and power of the tests, by simulation: studies in which the truth is known."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations
from math import nan
from typing import NamedTuple
from unittest.mock import patch

import numpy as np
from comparisons import CHOICE, ENDPOINT, panels_of
from numpy.typing import NDArray
from simulated_studies import Population, draw

from benchmark.statistics.conformal import scan_threshold
from benchmark.statistics.intervals.mean import interval
from benchmark.statistics.pairwise import generalised_p as generalised
from benchmark.statistics.pairwise import paired_difference
from benchmark.statistics.pairwise.equivalence import equivalence_p
from benchmark.statistics.pairwise.multiple_testing import holm
from benchmark.statistics.pairwise.paired_difference import ALONE, compare_endpoints
from benchmark.statistics.pairwise.permutation import sign_flips, unpaired_permutation_p
from benchmark.statistics.panel import TRAINED_MODEL, TRAINING_PROCEDURE

Values = NDArray[np.float64]
ROUNDS = 999  # of a permutation: enough for a level of 5 %
BLOCK = 400_000  # values drawn at once
TWO = replace(ENDPOINT, protocols=("healthy-fpr-1", "lesion-val"))


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
    """Family-wise error of the test of *this training procedure* among methods that differ by their seeds alone."""
    wrong = [
        bool(np.nanmin(holm(generalised.two_sided_p(differences))) <= alpha)
        for differences in _pairs(population, n, s, runs, methods)
    ]
    return _rate("family-wise error", "this training procedure: generalised p, Holm", population, n, s, methods, wrong)


def mistaken_error(population: Population, *, n: int, s: int, runs: int, methods: int = 4, alpha: float = 0.05) -> Rate:
    """The same of the test of *this trained model*, read as if it spoke of recipes: what ignoring the seed costs."""
    wrong = [_any_flip(differences.mean(axis=-1).T, alpha) for differences in _pairs(population, n, s, runs, methods)]
    return _rate("family-wise error", "seeds averaged and ignored: max-T sign flips", population, n, s, methods, wrong)


def weights_error(population: Population, *, n: int, runs: int, methods: int = 4, alpha: float = 0.05) -> Rate:
    """Family-wise error of the test of *this trained model* among weights that are equally good."""
    equal = replace(population, seed=0.0)
    wrong = [_any_flip(differences[..., 0].T, alpha) for differences in _pairs(equal, n, 1, runs, methods)]
    return _rate("family-wise error", "this trained model: max-T sign flips", population, n, 1, methods, wrong)


def power(population: Population, *, n: int, runs: int, shift: float, alpha: float = 0.05) -> tuple[Rate, Rate]:
    """Of the paired and of the published unpaired test, on the same studies of two single fits."""
    rng = np.random.default_rng([n, 7])
    values = draw(population, rng, runs=runs, n=n, s=1, shift=shift).values[..., 0]
    paired = [_any_flip((one[0] - one[1])[:, None], alpha) for one in values]
    unpaired = [unpaired_permutation_p(one[0], one[1], rounds=ROUNDS) <= alpha for one in values]
    return (
        _rate("power", "this trained model: paired sign flips", population, n, 1, 2, paired),
        _rate("power", "published: unpaired permutation", population, n, 1, 2, unpaired),
    )


def recipe_power(population: Population, *, n: int, s: int, runs: int, shift: float, alpha: float = 0.05) -> Rate:
    """Of the test of *this training procedure* for two recipes that truly differ."""
    found = [
        bool(generalised.two_sided_p(differences[0]) <= alpha)
        for differences in _pairs(population, n, s, runs, 2, shift=shift)
    ]
    return _rate("power", "this training procedure: generalised p", population, n, s, 2, found)


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


@dataclass(frozen=True)
class Sparse:
    """Paired differences of which few are large.

    Attributes:
        share: of patients who differ, by `size`; the others do not.
        noise: standard deviation of what is added to all.
    """

    share: float
    size: float
    noise: float

    @property
    def name(self) -> str:
        return f"{100 * self.share:g} % by {self.size:.3g}, noise {self.noise:g}"

    @property
    def mean(self) -> float:
        return self.share * self.size

    def draw(self, rng: np.random.Generator, runs: int, n: int) -> Values:
        """`(runs, n)` differences in [-1, 1]."""
        differing = rng.random((runs, n)) < self.share
        return np.clip(self.size * differing + rng.normal(0, self.noise, (runs, n)), -1, 1)


MARGIN = 0.02
OUTSIDE = tuple(
    Sparse(share, min(1.0, 1.01 * MARGIN / share), noise) for share in (0.02, 0.05, 0.1, 0.2) for noise in (0, 0.002)
)
"""Means at the margin or just outside; 1 is as far as two values of Dice can differ."""
INSIDE = tuple(Sparse(0.0, 0.0, noise) for noise in (0.002, 0.02, 0.05, 0.1, 0.15))


def equivalence(population: Sparse, *, n: int, runs: int, alpha: float = 0.05) -> tuple[Rate, ...]:
    """How often one pair is called equivalent: by the rule, and by two t-tests of whatever spread there is."""
    what = "equivalence: error" if population.mean >= MARGIN else "equivalence: power"
    studies = population.draw(np.random.default_rng([n, 11]), runs, n)
    said = [_is_equivalent(one, alpha) for one in studies]
    by_t = [_t_p(one) <= alpha for one in studies]
    return tuple(
        Rate(what, test, 2, n, 1, population.name, round(float(np.mean(found)), 4), runs)
        for test, found in (("bound and interval", said), ("two t-tests", by_t))
    )


def _t_p(values: Values) -> float:
    """The larger of two one-sided t-tests; 0 or 1 where nothing varies."""
    from scipy.stats import t

    room, se = MARGIN - abs(values.mean()), values.std(ddof=1) / np.sqrt(values.size)
    return float(t.sf(room / se, values.size - 1)) if se > 0 else float(room <= 0)


def _is_equivalent(values: Values, alpha: float) -> bool:
    """As `compare_endpoints` decides it, the interval being tried last since it takes longest."""
    if equivalence_p(values, MARGIN, 1.0) > alpha:
        return False
    found = interval(values[:, None], "this trained model", "difference", alpha=alpha, within=(-1, 1))
    return found.low >= -MARGIN and found.high <= MARGIN


def better(
    population: Population, *, n: int, runs: int, first: float = 0.0, s: int = 1, methods: int = 4
) -> tuple[Rate, Rate]:
    """How often any pair is called better, under both endpoints or under one alone, where that is false.

    All methods are equally good under the second endpoint, and one of them is better by `first` (latent) under the
    first; under a second threshold a patient's values come out otherwise, by the population's `rest`.
    """
    equal = replace(population, seed=0.0) if s == 1 else population
    question = TRAINED_MODEL if s == 1 else TRAINING_PROCEDURE
    rng, choices = np.random.default_rng([n, s, 13]), [replace(CHOICE, protocol=one) for one in TWO.protocols]
    both, alone = list[bool](), list[bool]()
    for _ in range(runs):
        drawn = draw(equal, rng, runs=1, n=n, s=s, methods=methods)
        again = drawn.latent + rng.normal(0, equal.rest, drawn.latent.shape)
        under = {choices[0]: equal.score(drawn.latent + first * (np.arange(methods) == 0)[:, None, None]),
                 choices[1]: equal.score(again)}  # fmt: skip
        panels = {
            one: panels_of({f"m{place}": values[0, place] for place in range(methods)}) for one, values in under.items()
        }
        with patch.multiple(
            paired_difference,
            _published=lambda pairs: np.full(len(pairs), nan),
            _reaches=lambda pairs, *_: np.full((2, len(pairs)), nan),
        ):  # slow, no claim
            found = [pair for pairs in compare_endpoints(panels, question, TWO).values() for pair in pairs]
        truly = [pair for pair in found if first and pair.choice == choices[0] and pair.better == "m0"]
        both.append(any(pair.state == "better" for pair in found))
        alone.append(any(pair.state == ALONE["better"] for pair in found if pair not in truly))
    test = "this trained model" if s == 1 else "this training procedure"
    where = "equal under both" if not first else "equal under the second endpoint"
    return (
        _rate("false better", f"{test}, {where}", population, n, s, methods, both),
        _rate("false better under one", f"{test}, {where}", population, n, s, methods, alone),
    )


def conformal_rate(*, scans: int, looks: int, own: float, tied: float, runs: int, alpha: float = 0.1) -> Rate:
    """How often a new scan is flagged at a conformal threshold from the scans that chose the checkpoint.

    Of `looks` checkpoints the one of the lowest mean loss over the scans is kept.

    Args:
        own: part of the variance of a scan's level that a checkpoint redraws; the rest is the scan's.
        tied: correlation of that part with the scan's loss.
    """
    rng = np.random.default_rng([scans, looks, 19])
    shared = rng.normal(0, np.sqrt(1 - own), (runs, 1, scans + 1))
    drawn, other = rng.normal(0, 1, (2, runs, looks, scans + 1))
    loss = (tied * drawn + np.sqrt(1 - tied**2) * other)[..., :-1].mean(axis=-1)
    levels = (shared + np.sqrt(own) * drawn)[np.arange(runs), loss.argmin(axis=1)]
    found = [bool(one[-1] > scan_threshold(one[:-1].tolist(), alpha).threshold) for one in levels]
    test = f"nominal {alpha:g}, {looks} looks, {own:g} of the variance redrawn, correlation {tied:g} with the loss"
    return Rate(
        "realised rate of healthy scans", test, 1, scans, 1, "normal levels", round(float(np.mean(found)), 4), runs
    )

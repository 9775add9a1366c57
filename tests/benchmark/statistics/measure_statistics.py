"""Measure by simulation what intervals and tests are worth; call it from the root of the project.

    PYTHONPATH=. python tests/benchmark/statistics/measure_statistics.py [--runs N] [--only TABLE]

Writes `coverage.csv` (n x seeds x population -> coverage), `errors.csv` (family-wise error of all pairs among methods
that differ by nothing but new training seeds, and power of paired against unpaired tests) and `claims.csv` (how often
"equivalent" and "better" are said where they are false, and where they are true; how many healthy scans are flagged at
a conformal threshold from the scans that chose the checkpoint).
"""

import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from error_rates import (
    INSIDE,
    OUTSIDE,
    Rate,
    Sparse,
    better,
    conformal_rate,
    equivalence,
    mistaken_error,
    power,
    recipe_error,
    recipe_power,
    weights_error,
)
from numpy.typing import NDArray
from simulated_studies import POPULATIONS, Population, draw

from benchmark.statistics.intervals.bootstrap_t import Resamples, bootstrap_t
from benchmark.statistics.intervals.coverage import TABLE, Measured
from benchmark.statistics.intervals.mean import satterthwaite_interval
from datasets.io.tables import write_table

Values = NDArray[np.float64]
ALPHA = 0.05
PATIENTS = (6, 10, 20, 54, 150, 480, 1151)
"""Those of the cohorts that the studies score, and what lies between."""
TRAINING_SEEDS = (1, 3, 5)
RESULTS = Path(__file__).parents[3] / "docs" / "results" / "statistics"
TABLES = {"coverage": TABLE, "errors": RESULTS / "errors.csv", "claims": RESULTS / "claims.csv"}
SPARSE = tuple(Sparse(share, 0.3, 0.002) for share in (0.05, 0.1, 0.2))
SHIFT = 0.25  # latent difference whose power is measured, 0.02 to 0.05 Dice
TASTE = 0.3  # latent s.d. of a patient with a method, where two methods differ


def coverages(
    runs: int, *, patients: Sequence[int] = PATIENTS, seeds: Sequence[int] = TRAINING_SEEDS
) -> Iterator[Measured]:
    """A line a question, n, number of seeds and population; the two methods differ, in the mean and in their tastes."""
    for population in POPULATIONS:
        for n in patients:
            for s in seeds:
                yield from _coverages(replace(population, interaction=TASTE), n, s, runs)
    for sparse in SPARSE:
        for n in patients:
            for s in seeds:
                yield from _sparse_coverages(sparse, n, s, runs if n <= 150 else runs // 2)


def _sparse_coverages(population: Sparse, n: int, s: int, runs: int) -> Iterator[Measured]:
    """The noise is of a patient and a seed, the difference of a patient; studies in which nobody differs count too."""
    rng = np.random.default_rng([n, s, 17])
    differing = replace(population, noise=0.0).draw(rng, runs, n)
    values = differing[..., None] + rng.normal(0, population.noise, (runs, n, s))
    held = {"this trained model": _weights_hold(values, np.full(len(values), population.mean), rng)}
    if s > 1:
        ends = np.stack(satterthwaite_interval(values, alpha=ALPHA), axis=1)
        held["this training procedure"] = _hold(ends, population.mean)
    for question, found in held.items():
        given = found[~np.isnan(found)]
        if given.size:
            share = round(float(given.mean()), 4)
            yield Measured(question, "sparse difference", n, s, population.name, share, given.size)


def _coverages(population: Population, n: int, s: int, runs: int, shift: float = 0.3) -> Iterator[Measured]:
    rng = np.random.default_rng([n, s, POPULATIONS.index(replace(population, interaction=0.0))])
    hits: dict[tuple[str, str], list[Values]] = {}
    for size in _blocks(runs if n <= 150 else runs // 2, n * s):
        drawn = draw(population, rng, runs=size, n=n, s=s, shift=shift)
        first = population.weights_mean(drawn.seed_effects[:, 0], shift).mean(axis=-1)
        second = population.weights_mean(drawn.seed_effects[:, 1]).mean(axis=-1)
        recipe = population.recipe_mean(shift), population.recipe_mean()
        mean, difference = drawn.values[:, 0], drawn.values[:, 0] - drawn.values[:, 1]
        for of, values, of_weights, of_recipe in (
            ("mean", mean, first, recipe[0]),
            ("difference", difference, first - second, recipe[0] - recipe[1]),
        ):
            hits.setdefault(("this trained model", of), []).append(_weights_hold(values, of_weights, rng))
            if s > 1:
                ends = np.stack(satterthwaite_interval(values, alpha=ALPHA), axis=1)
                hits.setdefault(("this training procedure", of), []).append(_hold(ends, of_recipe))
    for (question, of), parts in hits.items():
        held = np.concatenate(parts)
        given = held[~np.isnan(held)]
        yield Measured(question, of, n, s, population.name, round(float(given.mean()), 4), given.size)


def _weights_hold(values: Values, truth: Values, rng: np.random.Generator, rounds: int = 999) -> Values:
    resamples = (Resamples.of(len(one), rng, rounds) for one in values)
    ends = np.array(
        [bootstrap_t(one.mean(axis=1), own, alpha=ALPHA) for one, own in zip(values, resamples, strict=True)]
    )
    return _hold(ends, truth)


def _hold(ends: Values, truth: Values | float) -> Values:
    """1 where the truth lies within, 0 where it does not, NaN where no interval was given."""
    return np.where(np.isnan(ends[:, 0]), np.nan, (ends[:, 0] <= truth) & (truth <= ends[:, 1]))


def _blocks(runs: int, values: int) -> list[int]:
    most = max(1, 2_000_000 // values)
    return [min(most, runs - start) for start in range(0, runs, most)]


def shown(lines: Iterable[NamedTuple]) -> Iterator[NamedTuple]:
    """The same lines, printed as they come: a setting can take minutes."""
    for line in lines:
        print(*line, file=sys.stderr)
        yield line


def rates(runs: int) -> Iterator[Rate]:
    """Errors where nothing is to be found, and power where something is."""
    for population in POPULATIONS:
        for n in (20, 54, 480, 1151):
            yield weights_error(population, n=n, runs=runs)
            for s in (3, 5):
                yield recipe_error(population, n=n, s=s, runs=runs)
                yield mistaken_error(population, n=n, s=s, runs=runs)
        for n in (20, 54, 150):
            yield from power(population, n=n, runs=runs, shift=SHIFT)
            for s in (3, 5):
                yield recipe_power(population, n=n, s=s, runs=runs, shift=SHIFT)


def claims(runs: int) -> Iterator[Rate]:
    """Claims that are false, and equivalence that is true."""
    for n in (6, 10, 20, 60, 150, 200, 300, 480, 1151):
        for sparse in OUTSIDE:
            yield from equivalence(sparse, n=n, runs=runs)
    for n in (20, 60, 150, 200, 300, 480, 1151):
        for inside in INSIDE:
            yield from equivalence(inside, n=n, runs=min(runs, 300))
    for scans in (9, 20, 44):
        yield conformal_rate(scans=scans, looks=1, own=1.0, tied=1.0, runs=10 * runs)
        for own, tied in ((0.1, 0.5), (0.5, 0.5), (0.5, 1.0), (1.0, 1.0)):
            yield conformal_rate(scans=scans, looks=20, own=own, tied=tied, runs=10 * runs)
    for population in POPULATIONS:
        for s in (1, 3):
            for first in (0.0, 1.0):
                yield from better(population, n=20, s=s, first=first, runs=min(runs, 400))


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000, help="simulated studies a setting")
    parser.add_argument("--out", type=Path, help="folder for the tables; default: where they are committed")
    parser.add_argument("--only", choices=TABLES, help="one of the tables")
    options = parser.parse_args()
    made = {"coverage": (Measured, coverages), "errors": (Rate, rates), "claims": (Rate, claims)}
    for name in [options.only] if options.only else TABLES:
        path = TABLES[name] if options.out is None else options.out / TABLES[name].name
        line, lines = made[name]
        write_table(path, line._fields, shown(lines(options.runs)))


if __name__ == "__main__":
    main()

"""The committed table of measured coverage: whole, honest about where it falls short, and made by the script."""

import csv
from itertools import product

import measure_statistics as measure
import numpy as np
import pytest
from simulated_studies import POPULATIONS

from benchmark.statistics.intervals.coverage import ASKED, ASKED_FROM, is_short, measured_coverage, table
from benchmark.statistics.intervals.mean import interval


def test_the_table_has_every_setting_of_the_script() -> None:
    found = {(one.question, one.of, one.n, one.seeds, one.population) for one in table()}
    for n, s, population in product(measure.PATIENTS, measure.TRAINING_SEEDS, POPULATIONS):
        for question, of in product(("this trained model", "this training procedure"), ("mean", "difference")):
            assert ((question, of, n, s, population.name) in found) == (question == "this trained model" or s > 1)
    for n, s, population in product(measure.PATIENTS, measure.TRAINING_SEEDS, measure.SPARSE):
        assert ("this trained model", "sparse difference", n, s, population.name) in found


def test_the_cohorts_sizes_are_covered_or_known_to_fall_short() -> None:
    """The one shortfall from n = 50 on: differences of recipes in large cohorts with 3 or 5 seeds."""
    usual = [one for one in table() if one.of != "sparse difference"]
    short = {(one.question, one.of, one.seeds) for one in usual if one.n >= ASKED_FROM and is_short(one.coverage)}
    assert short <= {("this training procedure", "difference", 3), ("this training procedure", "difference", 5)}
    assert min(one.coverage for one in usual if one.n >= ASKED_FROM) > 0.91
    assert max(one.coverage for one in usual if one.n >= 20) < 0.985


@pytest.mark.parametrize("n", [6, 20, 54])
def test_an_interval_of_sparse_differences_is_flagged(n: int) -> None:
    values = np.random.default_rng(n).normal(0, 0.002, (n, 1))
    values[:2] += 0.3
    sparse = interval(values, "this trained model", "difference", alpha=0.05)
    usual = interval(np.random.default_rng(n).normal(0, 0.1, (n, 1)), "this trained model", "difference", alpha=0.05)
    assert is_short(sparse.coverage)
    assert sparse.coverage < usual.coverage


def test_a_look_up_is_the_worst_population_of_the_closest_size_with_no_more_seeds() -> None:
    worst = min(
        one.coverage
        for one in table()
        if (one.question, one.of, one.n, one.seeds) == ("this training procedure", "mean", 54, 3)
    )
    assert measured_coverage("this training procedure", "mean", 58, 4) == worst
    assert np.isnan(measured_coverage("this training procedure", "mean", 54, 2))
    assert is_short(float("nan"))
    assert is_short(ASKED - 0.001)
    assert not is_short(ASKED)


@pytest.mark.parametrize(("n", "s"), [(20, 3), (54, 1)])
def test_a_small_simulation_agrees_with_the_table(n: int, s: int) -> None:
    known = {(one.question, one.of, one.population): one.coverage for one in table() if (one.n, one.seeds) == (n, s)}
    for one in measure.coverages(150, patients=(n,), seeds=(s,)):
        truth = known[one.question, one.of, one.population]
        assert abs(one.coverage - truth) < 4 * np.sqrt(truth * (1 - truth) / 150)


def test_the_script_writes_tables_that_are_read_again(tmp_path, capsys) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "coverage.csv"
    measure.write_table(path, measure.Measured._fields, measure.shown(measure.coverages(4, patients=(6,), seeds=(1,))))
    with path.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2 * len(POPULATIONS) + len(measure.SPARSE)
    assert "this trained model" in capsys.readouterr().err

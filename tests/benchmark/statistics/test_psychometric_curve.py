"""The psychometric fit: recovers what was simulated, covers it, and says so where there is nothing to recover."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from benchmark.statistics.psychometric_curve import Psychometric, Trials, fit_psychometric, half_found

LEVELS = np.array([0.0, 0.25, 0.5, 1.0, 2.0])
TRUE = Psychometric(guess=0.1, lapse=0.03, midpoint=0.7, slope=3.0)


def simulate(curve: Psychometric, subjects: int, each: int, rng: np.random.Generator, spread: float = 0.0) -> Trials:
    """`each` lesions a subject and level; subjects' midpoints differ by `spread` natural log units (s.d.)."""
    names, contrasts, hits = list[str](), list[float](), list[float]()
    for index in range(subjects):
        own = replace(curve, midpoint=curve.midpoint * np.exp(spread * rng.standard_normal()))
        for level, rate in zip(LEVELS, own.rate(LEVELS), strict=True):
            names += [f"s{index}"] * each
            contrasts += [level] * each
            hits += (rng.random(each) < rate).astype(float).tolist()
    return Trials(names, np.array(contrasts), np.array(hits))


def test_many_trials_give_the_curve_back() -> None:
    point = half_found(simulate(TRUE, 400, 10, np.random.default_rng(0)))
    assert point.state == "reached"
    assert point.contrast == pytest.approx(TRUE.half, rel=0.05)
    assert point.curve.guess == pytest.approx(0.1, abs=0.02)
    assert point.curve.slope == pytest.approx(3, rel=0.15)
    assert point.low < TRUE.half < point.high
    assert (point.trials, point.subjects) == (400 * 50, 400)


def test_the_curve_is_a_half_where_it_says() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        curve = Psychometric(rng.uniform(0, 0.45), rng.uniform(0, 0.1), rng.uniform(0.1, 5), rng.uniform(1, 10))
        assert curve.rate([curve.half])[0] == pytest.approx(0.5)
    assert curve.rate([0.0])[0] == pytest.approx(curve.guess)


def test_the_interval_over_subjects_covers_the_truth_about_as_often_as_it_says() -> None:
    """95 % is nominal; with 16 subjects who differ, a percentile bootstrap is known to cover a little less."""
    rng = np.random.default_rng(2)
    covered = 0
    for _ in range(150):
        point = half_found(simulate(TRUE, 16, 2, rng, spread=0.3), rounds=150)
        covered += point.low <= TRUE.half <= point.high
    assert 0.87 <= covered / 150 <= 1.0


def test_the_interval_is_not_far_too_wide() -> None:
    rng = np.random.default_rng(3)
    points = [half_found(simulate(TRUE, 16, 2, rng), rounds=150) for _ in range(40)]
    error = np.std([np.log(point.curve.half) for point in points])
    width = np.median([np.log(point.high / point.low) for point in points])
    assert width < 2 * 3.2 * error


def test_the_fit_is_at_least_as_likely_as_what_a_global_search_finds() -> None:
    trials = simulate(TRUE, 16, 2, np.random.default_rng(4))
    hit, tried = (count.sum(axis=0) for count in trials.counts)

    def loss(free: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
        rate = np.clip(Psychometric(free[0], free[1], np.exp(free[2]), free[3]).rate(LEVELS), 1e-6, 1 - 1e-6)
        return -float(hit @ np.log(rate) + (tried - hit) @ np.log(1 - rate))

    bounds = [(0, 0.95), (0, 0.1), (np.log(0.25 / 4), np.log(8)), (0.7, 12)]
    best = optimize.differential_evolution(loss, bounds, seed=0, maxiter=60)
    ours = fit_psychometric(LEVELS, hit, tried)
    assert loss(np.array([ours.guess, ours.lapse, np.log(ours.midpoint), ours.slope])) <= best.fun + 0.02


@pytest.mark.parametrize(
    ("curve", "state", "low", "high"),
    [
        (replace(TRUE, midpoint=20.0, slope=8.0), "not reached", np.inf, np.inf),
        (replace(TRUE, midpoint=0.05, slope=8.0), "below", 0.0, 0.0),
        (replace(TRUE, guess=0.8, midpoint=20.0), "chance", 0.0, 0.0),
    ],
)
def test_nothing_is_extrapolated(curve: Psychometric, state: str, low: float, high: float) -> None:
    point = half_found(simulate(curve, 30, 4, np.random.default_rng(5)))
    assert point.state == state
    assert np.isnan(point.contrast)
    assert (point.low, point.high) == (low, high)


def test_few_subjects_have_no_interval() -> None:
    point = half_found(simulate(TRUE, 5, 20, np.random.default_rng(6)))
    assert point.state == "reached"
    assert np.isnan([point.low, point.high]).all()


def test_without_controls_the_guess_rate_comes_from_the_lesions_alone() -> None:
    trials = simulate(replace(TRUE, guess=0.0), 100, 4, np.random.default_rng(7))
    above = trials.contrast > 0
    point = half_found(Trials(np.array(trials.subject)[above].tolist(), trials.contrast[above], trials.found[above]))
    assert point.contrast == pytest.approx(replace(TRUE, guess=0.0).half, rel=0.15)


def test_controls_alone_are_refused() -> None:
    with pytest.raises(ValueError, match="no lesion with contrast"):
        half_found(Trials(["a"], np.array([0.0]), np.array([1.0])))

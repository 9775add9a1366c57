"""Parts of variance: found again where they are known, and as uncertain as three seeds leave them."""

from dataclasses import replace

import numpy as np
import pytest
from comparisons import panel

from benchmark.statistics.intervals.variance_components import variance_parts


def parts(patient: float, seed: float, rest: float, sampling: float, *, draws: int, s: int = 20) -> dict[str, float]:
    rng = np.random.default_rng(0)
    cells = rng.normal(0, patient, (300, 1)) + rng.normal(0, seed, (1, s)) + rng.normal(0, rest, (300, s))
    repeats = cells[:, :, None] + rng.normal(0, sampling, (300, s, draws))
    one = replace(panel("a", repeats.mean(axis=2)), repeats=repeats)
    return {part.source: part.sd for part in variance_parts(one)}


def test_each_source_is_told_from_the_others() -> None:
    found = parts(0.2, 0.05, 0.03, 0.02, draws=3)
    assert found["patient"] == pytest.approx(0.2, rel=0.1)
    assert found["training seed"] == pytest.approx(0.05, rel=0.35)
    assert found["patient x seed"] == pytest.approx(0.03, rel=0.05)
    assert found["sampling seed"] == pytest.approx(0.02, rel=0.05)


def test_one_sampling_seed_is_part_of_the_rest() -> None:
    found = parts(0.2, 0.05, 0.03, 0.04, draws=1)
    assert "sampling seed" not in found
    assert found["patient x seed"] == pytest.approx(0.05, rel=0.05)


def test_three_seeds_leave_half_to_six_times_the_estimate() -> None:
    values = np.repeat([[0.0, 1.0, 2.0]], 400, axis=0) + np.random.default_rng(1).normal(0, 1e-3, (400, 3))
    seed = variance_parts(panel("a", values))[1]
    assert seed.low / seed.sd == pytest.approx(0.52, abs=0.01)
    assert seed.high / seed.sd == pytest.approx(6.28, abs=0.02)


def test_intervals_hold_the_truth() -> None:
    rng, held = np.random.default_rng(2), []
    for _ in range(400):
        values = rng.normal(0, 1, (20, 1)) + rng.normal(0, 0.5, (1, 5)) + rng.normal(0, 1, (20, 5))
        patient, seed, rest = variance_parts(panel("a", values))
        truths = ((patient, 1.0), (seed, 0.5), (rest, 1.0))
        held.append([part.low <= truth <= part.high for part, truth in truths])
    assert (np.mean(held, axis=0) > 0.92).all()


def test_a_single_seed_has_no_parts() -> None:
    assert variance_parts(panel("a", np.ones((10, 1)))) == []

"""Statuses are computed from what is printed and what a run holds."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from published_studies import MEANS, tiny_study
from runs_by_hand import write_run

from benchmark.analysis.compare_methods import Comparable
from benchmark.replication.comparison import ALPHA, Group, TierResults, groups, our_number, status_of
from benchmark.statistics.panel import Panel
from benchmark.statistics.primary_endpoint import read_endpoint

OURS = {"thresh": 0.3, "ae": 0.45, "vae": 0.45}  # 0.02 more under the printed threshold


def group(
    folder: Path,
    means: Mapping[str, str] = MEANS,
    *,
    runs: Collection[str] = ("published",),
    seeds: Sequence[int] = (0, 1, 2),
    ours: Mapping[str, float] = OURS,
) -> Group:
    """The only table's, where these runs of the tier have rows."""
    study, endpoint = tiny_study(folder, dict(means)), read_endpoint()
    made = {name: Comparable(write_run(folder / name, seeds=seeds, means=ours), endpoint) for name in runs}
    absent = {("patients", "t1"): "Patients"}
    (only,) = groups(TierResults(study, "paper", study.tiers["paper"], made, absent, endpoint), study.items[0])
    return only


def test_values_in_our_intervals_are_within(tmp_path: Path) -> None:
    found = group(tmp_path)
    assert found.status == "within interval"
    assert [line.status for line in found.lines] == ["within interval"] * 3
    for line in found.lines:
        (ours,) = line.ours
        assert ours.low < line.value.mean < ours.high
        assert ours.seeds == 3
        assert ours.patients == 30


def test_one_changed_value_changes_its_status(tmp_path: Path) -> None:
    found = group(tmp_path, {**MEANS, "AE": "80.00"})
    assert [line.status for line in found.lines] == ["within interval", "contradicted", "within interval"]


def test_a_kept_order_is_the_same_and_a_turned_one_contradicts(tmp_path: Path) -> None:
    ours = {"thresh": 0.1, "ae": 0.2, "vae": 0.4}
    for (first, last), status, tau in ((("60", "80"), "same order", 1), (("80", "60"), "contradicted", -1)):
        folder = tmp_path / first
        folder.mkdir()
        found = group(folder, {"Intensity": first, "AE": "70", "VAE": last}, ours=ours)
        assert found.status == status
        assert found.agreement.tau == tau


def test_the_default_sampling_alone_is_another_sampling(tmp_path: Path) -> None:
    found = group(tmp_path, runs=["default"])
    assert found.status == "other sampling"
    assert found.why == "a run by the sampling spline"
    assert all(not line.ours and line.default for line in found.lines)


def test_both_samplings_stand_side_by_side(tmp_path: Path) -> None:
    found = group(tmp_path, runs=["published", "default"])
    assert found.status == "within interval"
    assert all(line.ours and line.default for line in found.lines)


def test_one_training_has_no_interval(tmp_path: Path) -> None:
    found = group(tmp_path, seeds=(0,))
    assert (found.status, found.why) == ("one seed", "a second training")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    found = group(tmp_path, runs=[])
    assert found.status == "not run"
    assert found.why == "Patients"


def test_only_the_values_that_ours_are_compared_with_decide(tmp_path: Path) -> None:
    """A method that is not trained, and one that has the other sampling alone, contradict nothing."""
    study, endpoint = tiny_study(tmp_path), read_endpoint()
    parts = {"published": {"thresh": 0.3, "ae": 0.45}, "default": {"thresh": 0.3, "ae": 0.45, "vae": 0.1}}
    made = {name: Comparable(write_run(tmp_path / name, means=means), endpoint) for name, means in parts.items()}
    tier = study.tiers["paper"]
    (both,) = groups(TierResults(study, "paper", tier, made, {}, endpoint), study.items[0])
    assert [line.status for line in both.lines] == ["within interval", "within interval", "other sampling"]
    assert (both.status, both.within, len(both.compared)) == ("within interval", 2, 2)
    alone = TierResults(study, "paper", tier, {"published": made["published"]}, {}, endpoint)
    (one,) = groups(alone, study.items[0])
    assert [line.status for line in one.lines] == ["within interval", "within interval", "not run"]
    assert (one.status, one.why) == ("within interval", "a training of vae")


def test_a_new_run_of_the_same_procedure_is_contradicted_in_one_group_of_twenty_at_most() -> None:
    """Of 13 methods over 40 patients and 5 trainings, whose patients and trainings a second run draws anew."""
    rng, rounds, methods, patients, trainings = np.random.default_rng(0), 300, 13, 40, 5

    def means_of(count: int) -> np.ndarray:
        patient = rng.normal(0, 0.2, (1, count, 1)) + rng.normal(0, 0.05, (methods, count, 1))
        seed, rest = rng.normal(0, 0.03, (methods, 1, trainings)), rng.normal(0, 0.05, (methods, count, trainings))
        return 0.4 + patient + seed + rest

    def contradicted(alpha: float) -> float:
        found = 0
        for _ in range(rounds):
            ours, theirs = means_of(patients), means_of(patients).mean(axis=(1, 2))
            names, seeds = tuple(map(str, range(patients))), tuple(range(trainings))
            panels = [Panel("m", names, seeds, values, values[..., None]) for values in ours]
            numbers = [our_number(one, 1, patients, trainings, alpha) for one in panels]
            statuses = [status_of(float(value), 9, [own], []) for value, own in zip(theirs, numbers, strict=True)]
            found += "contradicted" in statuses
        return found / rounds

    assert contradicted(ALPHA / methods) < 0.06
    assert contradicted(ALPHA) > 0.1


def test_pairs_are_tested_by_both_tests(tmp_path: Path) -> None:
    (pair,) = group(tmp_path).tests
    assert (pair.a, pair.b) == ("AE", "VAE, wide")
    assert pair.effect.mean == pytest.approx(0, abs=1e-9)
    assert 0 < pair.p <= 1
    assert 0 < pair.p_published <= 1

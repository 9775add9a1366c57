"""Statuses are computed from what is printed and what a run holds."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import pytest
from published_studies import MEANS, tiny_study
from runs_by_hand import write_run

from benchmark.analysis.compare_methods import Comparable
from benchmark.replication.comparison import Group, TierResults, groups
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
    assert all(not line.ours and line.default for line in found.lines)


def test_both_samplings_stand_side_by_side(tmp_path: Path) -> None:
    found = group(tmp_path, runs=["published", "default"])
    assert found.status == "within interval"
    assert all(line.ours and line.default for line in found.lines)


def test_one_training_has_no_interval(tmp_path: Path) -> None:
    assert group(tmp_path, seeds=(0,)).status == "one seed"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    found = group(tmp_path, runs=[])
    assert found.status == "not run"
    assert found.why == "Patients"


def test_pairs_are_tested_by_both_tests(tmp_path: Path) -> None:
    (pair,) = group(tmp_path).tests
    assert (pair.a, pair.b) == ("AE", "VAE, wide")
    assert pair.effect.mean == pytest.approx(0, abs=1e-9)
    assert 0 < pair.p <= 1
    assert 0 < pair.p_published <= 1

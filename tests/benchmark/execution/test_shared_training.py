"""Variants that differ at test time only are trained once, all others on their own."""

import json
from pathlib import Path

import pytest
from studies import Runner, stamps

pytestmark = pytest.mark.usefixtures("plugin")


def fits(out: Path) -> dict[str, dict[str, object]]:
    records = [json.loads(path.read_text()) for path in out.glob("fits/*/fit.json")]
    return {record["fit"]["method"]: record for record in records}


def test_a_variant_at_test_time_takes_the_weights_of_the_fit_that_trained_alike(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    assert runner.run("mean-distance,mean-distance[power=2.0]") == []
    kept = fits(runner.out)
    assert "weights_of" not in kept["mean-distance"]
    assert str(kept["mean-distance[power=2.0]"]["weights_of"]).startswith("mean-distance-")
    assert any("weights of" in line for line in runner.said)
    values = {row["method"]: row["value"] for row in runner.rows() if row["metric"] == "threshold"}
    assert values["mean-distance"] != values["mean-distance[power=2.0]"]


def test_a_variant_in_training_is_fitted_itself(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run('mean-distance,mean-distance[sides=["dark"]]')
    assert all("weights_of" not in record for record in fits(runner.out).values())


def test_another_seed_is_fitted_itself(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run("mean-distance,mean-distance[power=2.0]", seeds="0-1")
    weights_of = [record.get("weights_of") for record in map(json.loads, read(runner.out))]
    assert weights_of.count(None) == 2
    assert len(set(weights_of)) == 3


def test_running_again_leaves_the_weights_alone(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run("mean-distance,mean-distance[power=2.0]")
    before = stamps(runner.out, "fits/*/*")
    runner.run("mean-distance,mean-distance[power=2.0]")
    assert stamps(runner.out, "fits/*/*") == before


def read(out: Path) -> list[str]:
    return [path.read_text() for path in out.glob("fits/*/fit.json")]

"""Curves and numbers by size of the lesion that an evaluation leaves beside the rows."""

import csv
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from cohorts import PATIENTS, VOLUNTEERS
from hand_made_cases import VOXEL_ML, Bench, every_row, filled, value

from benchmark.scoring.lesion_tables import Froc, Lesions


def kept_table(bench: Bench, name: str) -> list[dict[str, str]]:
    with (bench.run.cell(bench.cell(PATIENTS)) / name).open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_false_alarms_against_lesions_found_are_left_as_a_curve_beside_the_rows(bench: Bench) -> None:
    rows = every_row(filled(bench))
    with (bench.run.cell(bench.cell(PATIENTS)) / "froc.csv").open(newline="") as stream:
        points = [row for row in csv.DictReader(stream) if (row["split"], row["stratum"]) == ("test", "all")]
    thresholds = [float(point["threshold"]) for point in points]
    assert thresholds == sorted(thresholds, reverse=True)
    assert float(points[-1]["lesion_recall"]) == 1
    assert {point["scans"] for point in points} == {"2"}
    assert 0 < value(rows, "froc", split="test") <= 1


def test_false_alarms_count_at_the_threshold_of_their_decision_alone() -> None:
    froc = Froc(Lesions(), thresholds=np.array([0.8, 0.4]), false_positives=np.zeros(2), scans=2)
    three: Any = SimpleNamespace(matches=SimpleNamespace(false_positives=3))
    froc.add(three, 0.4)
    froc.add(three, 0.5)
    assert froc.rates.tolist() == [0, 1.5]


def test_precision_against_recall_is_left_beside_the_rows_and_ends_where_no_more_can_be_found(bench: Bench) -> None:
    """One of the six test voxels lies outside the box."""
    every_row(filled(bench))
    curve = [line for line in kept_table(bench, "pr.csv") if line["split"] == "test"]
    assert float(curve[-1]["recall"]) == pytest.approx(5 / 6)
    assert float(curve[0]["precision"]) == 1
    assert {line["cases"] for line in curve} == {"2"}


def test_a_single_lesion_is_found_where_the_threshold_is_below_its_level(bench: Bench) -> None:
    """Its level is its highest score, as for all lesions of up to ten voxels."""
    every_row(filled(bench))
    lesions = {line["case_id"]: line for line in kept_table(bench, "lesions.csv") if line["split"] == "val"}
    assert float(lesions["b"]["level"]) == pytest.approx(0.95, abs=1e-4)
    assert float(lesions["a"]["volume_ml"]) == pytest.approx(2 * VOXEL_ML)


def test_lesion_recall_by_size_counts_the_lesions_of_each_size(bench: Bench) -> None:
    """A voxel is 0.064 ml: the lesion of case b lies below 0.1 ml, all others above."""
    every_row(filled(bench))
    lines = kept_table(bench, "strata.csv")

    def found(stratum: str, split: str) -> tuple[float, str, str]:
        wanted = {"stratum": stratum, "metric": "lesion_recall", "split": split, "protocol": "lesion-val"}
        (line,) = [line for line in lines if wanted.items() <= line.items()]
        return float(line["mean"]), line["cases"], line["patients"]

    assert found("<0.1 ml", "val") == (1.0, "1", "1")
    assert found("0.1-1 ml", "val") == (1.0, "1", "1")
    assert found("all", "val") == (1.0, "2", "2")
    assert found("0.1-1 ml", "test") == (1.0, "2", "2")
    assert np.isnan(found("1-10 ml", "test")[0])


def test_a_cohort_without_lesions_leaves_no_curves(bench: Bench) -> None:
    filled(bench)
    bench.rows(VOLUNTEERS)
    assert not list(bench.run.cell(bench.cell(VOLUNTEERS)).glob("*.csv"))


@pytest.mark.parametrize("count", [1, 2, 19, 20, 21, 90])
def test_each_threshold_of_a_curve_finds_more_lesions_and_the_last_all_that_can_be_found(count: int) -> None:
    """Some lesions have one level, and a quarter cannot be found."""
    levels = np.random.default_rng(count).integers(1, 40, count) / 40
    levels[: count // 4] = 0
    lesions = Lesions(levels=np.split(levels, [count // 2]), volumes=np.split(np.ones(count), [count // 2]))
    thresholds = lesions.thresholds()
    recalls = [lesions.recall(threshold)[0] for threshold in thresholds]
    assert len(recalls) == min(20, np.unique(levels[levels > 0]).size)
    assert (np.diff(thresholds) < 0).all()
    assert (np.diff([0, *recalls]) > 0).all()
    assert recalls[-1] == (levels > 0).mean()


def test_lesions_that_cannot_be_found_have_no_threshold() -> None:
    assert Lesions(levels=[np.zeros(3)], volumes=[np.ones(3)]).thresholds().size == 0
    assert Lesions().thresholds().size == 0

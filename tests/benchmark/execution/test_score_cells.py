"""Kept maps are scored again without inference, and a cell that cannot be scored leaves the others."""

from pathlib import Path

import pytest
from studies import SCORING, Runner, logged

from benchmark.execution.score_cells import evaluate_study
from benchmark.storage.run_record import Scoring, kept_cells, kept_scoring, reopen
from benchmark.study.cells import Cell

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def study(data: Path, tmp_path: Path) -> Runner:
    runner = Runner(data, tmp_path / "run")
    runner.run("mean-distance,noisy")
    return runner


def evaluated(study: Runner, scoring: Scoring = SCORING) -> list[Cell]:
    with logged(study.log):
        return evaluate_study(reopen(study.folder, None), study.folder, scoring)


def test_scoring_again_gives_the_same_rows(study: Runner) -> None:
    before = (study.out / "rows.csv").read_bytes()
    for path in study.out.rglob("rows.csv"):
        path.unlink()
    assert evaluated(study) == []
    assert (study.out / "rows.csv").read_bytes() == before


def test_another_choice_of_chains_and_protocols_makes_its_rows(study: Runner) -> None:
    chosen = Scoring(("paper",), ("healthy-fpr-0.1",))
    evaluated(study, chosen)
    assert kept_scoring(study.folder) == chosen
    assert {row["postprocessing"] for row in study.rows()} == {"", "paper"}
    assert {row["protocol"] for row in study.rows()} == {"", "healthy-fpr-0.1"}


def test_a_torn_map_fails_its_cell_alone_and_is_named(study: Runner) -> None:
    cell = next(
        one for one in kept_cells(study.folder) if one.fit.method == "noisy" and one.cohort.dataset == "patients"
    )
    torn = study.folder.anomaly_map(cell, "patients-test-1")
    torn.write_bytes(torn.read_bytes()[:100])
    study.log.clear()
    assert evaluated(study) == [cell]
    assert any("FAILED noisy on patients (predict)" in line and str(torn) in line for line in study.log)
    found = {(row["method"], row["dataset"]) for row in study.rows()}
    assert ("noisy", "patients") not in found
    assert {("noisy", "volunteers"), ("mean-distance", "patients"), ("perfect-map", "patients")} <= found
    assert study.run("mean-distance,noisy", rerun="failed") == []


def test_a_cell_without_maps_is_said_and_left(study: Runner) -> None:
    cell = kept_cells(study.folder)[-1]
    (study.folder.cell(cell) / "cell.json").unlink()
    study.log.clear()
    assert evaluated(study) == [cell]
    assert "  no maps of noisy on patients (seed 0)" in study.log


def test_timing_is_kept_apart_from_the_rows(study: Runner) -> None:
    before = (study.out / "timing.csv").read_bytes()
    assert not {"seconds", "peak_bytes"} & {row["metric"] for row in study.rows()}
    evaluated(study)
    assert (study.out / "timing.csv").read_bytes() == before

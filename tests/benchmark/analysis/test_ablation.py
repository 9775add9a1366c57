"""The table of post-processing steps: what each is worth, the perfect map beside the methods."""

from pathlib import Path

import pandas as pd
import pytest
from commandline import Program
from studies import SCORING, Runner

from benchmark.analysis.ablation import ablated, write_ablation
from benchmark.execution.score_cells import evaluate_study
from benchmark.storage.run_record import Scoring, reopen

pytestmark = pytest.mark.usefixtures("plugin")


def test_what_the_table_needs_is_added_to_what_was_asked_for() -> None:
    scoring = ablated(Scoring(("light",), ("oracle",), ("auroc",)))
    assert scoring.postprocessing == ("light", "light-no-median", "light-no-components")
    assert scoring.protocols == ("oracle", "lesion-val")
    assert scoring.metrics == ("auroc", "dice")


def test_the_table_has_the_means_of_the_rows_and_the_perfect_map(data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run()
    assert evaluate_study(reopen(runner.folder, None), runner.folder, ablated(SCORING)) == []
    text = write_ablation(runner.folder)
    table = pd.read_csv(runner.out / "ablation.csv")
    assert "perfect-map" in text
    assert set(table["method"]) == {"perfect-map", "mean-distance"}
    steps = ["whole", "no median", "no components"]
    assert list(table.columns) == ["dataset", "split", "chain", "method", *steps, "patients", "outside the box"]
    rows = pd.DataFrame(runner.rows())
    chosen = (rows["metric"] == "dice") & (rows["protocol"] == "lesion-val") & (rows["split"] == "test")
    dice = rows[chosen & (rows["postprocessing"] == "light-no-median")].astype({"value": float})
    wanted = dice.groupby("subject_id")["value"].mean().mean()
    line = table[(table["method"] == "mean-distance") & (table["split"] == "test")].iloc[0]
    assert line["no median"] == pytest.approx(wanted)
    assert line["patients"] == dice["subject_id"].nunique()
    assert line["outside the box"] == 0


def test_the_command_prints_the_table(program: Program, data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run()
    told = program("evaluate", runner.out, "--ablation", "postprocessing", "--metrics", "dice,auprc")
    assert told.exit_code == 0
    assert "no median" in told.output
    sizes = {"lesion_ml", "lesion_outside_grid_ml"}
    assert {row["metric"] for row in runner.rows()} == {"dice", "auprc", "threshold"} | sizes
    assert program("evaluate", runner.out, "--ablation", "methods").exit_code == 2
    assert "Did you mean 'dice'?" in program("evaluate", runner.out, "--metrics", "dise").stderr

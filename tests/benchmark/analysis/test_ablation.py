"""The table of post-processing steps: what each is worth, the perfect map beside the methods."""

from pathlib import Path

import pandas as pd
import pytest
from cohorts import TINY
from commandline import Program
from studies import SCORING, Runner, read_table

from benchmark.analysis.ablation import ablated, ablation_lines, ablation_text
from benchmark.analysis.compare_methods import Comparable
from benchmark.execution.score_cells import evaluate_study
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.run_record import Scoring, reopen
from datasets.grid import Grid

pytestmark = pytest.mark.usefixtures("plugin")


def test_what_the_table_needs_is_added_to_what_was_asked_for() -> None:
    scoring = ablated(Scoring(("light",), ("oracle",), ("auroc",)), read_endpoint(), TINY)
    assert scoring.postprocessing == ("light", "light-no-median", "light-no-components")
    assert scoring.protocols == ("oracle", "healthy-fpr-1")
    assert scoring.metrics == ("auroc", "dice")


def test_a_step_without_effect_is_not_left_out() -> None:
    coarse = Grid(spacing=4.0)
    asked = Scoring(("paper", "light", "none"), ()).on(coarse)
    assert asked.postprocessing == ("paper", "none")
    scoring = ablated(asked, read_endpoint(), coarse)
    assert scoring.postprocessing == ("paper", "paper-no-erosion", "paper-no-median", "none")


def test_the_lines_are_the_means_of_the_rows_and_the_perfect_map_is_among_them(data: Path, tmp_path: Path) -> None:
    runner, endpoint = Runner(data, tmp_path / "run"), read_endpoint()
    runner.run()
    assert evaluate_study(reopen(runner.folder, None), runner.folder, ablated(SCORING, endpoint, TINY)) == []
    lines = list(ablation_lines(Comparable(runner.folder, endpoint)))
    assert {one.method for one in lines} == {"perfect-map", "mean-distance", ""}
    assert {one.group for one in lines} == {"whole", "no median", "no components", "outside the box"}
    rows = pd.DataFrame(runner.rows())
    chosen = (rows["metric"] == "dice") & (rows["protocol"] == "healthy-fpr-1") & (rows["split"] == "test")
    dice = rows[chosen & (rows["postprocessing"] == "light-no-median")].astype({"value": float})
    place = ("mean-distance", "no median", "test")
    (line,) = (one for one in lines if (one.method, one.group, one.split) == place)
    assert line.mean == pytest.approx(dice.groupby("subject_id")["value"].mean().mean())
    assert line.n == dice["subject_id"].nunique()
    assert {one.mean for one in lines if one.group == "outside the box"} == {0}
    header, _, *body = ablation_text(lines).splitlines()
    assert [cell.strip() for cell in header.split("|")[5:8]] == ["whole", "no median", "no components"]
    assert any("perfect-map" in row for row in body)


def test_the_command_prints_the_table(program: Program, data: Path, tmp_path: Path) -> None:
    runner = Runner(data, tmp_path / "run")
    runner.run()
    ablation = ("--ablation", "postprocessing", "--metrics", "dice,auprc", "--pictures", "")
    told = program("evaluate", runner.out, *ablation, "--out", tmp_path / "ablation")
    assert told.exit_code == 0
    assert "no median" in told.output
    sizes = {"lesion_ml", "lesion_outside_grid_ml", "lesion_lost_ml"}
    measured = {row["metric"] for row in read_table(tmp_path / "ablation" / "rows.csv")}
    assert measured == {"dice", "auprc", "threshold"} | sizes
    assert program("evaluate", runner.out, "--ablation", "methods").exit_code == 2
    assert "Did you mean 'dice'?" in program("evaluate", runner.out, "--metrics", "dise").stderr

"""Runs of which nothing, or only a part, has been scored."""

from dataclasses import replace
from pathlib import Path

import pytest
from runs_by_hand import write_run

from benchmark.analysis.summaries.make import summarise
from benchmark.storage.rows import kept_rows, write_rows
from benchmark.storage.summary_tables import SummaryLine, read_lines, summary_path

pytestmark = pytest.mark.usefixtures("plugin")
FEW = {"good": 0.45, "bad": 0.3}


def test_a_run_whose_cells_all_failed_has_tables_without_a_line(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    write_rows(run.root / "rows.csv", [])
    summarise(run, None)
    lines = read_lines(summary_path(run.root), SummaryLine)
    assert set(lines["metric"]) == {"seconds", "peak_bytes"}


def test_a_method_without_numbers_is_left_out_and_the_others_stand(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    write_rows(run.root / "rows.csv", [row for row in kept_rows(run.root / "rows.csv") if row.method == "good"])
    summarise(run, None)
    lines = read_lines(summary_path(run.root), SummaryLine)
    lines = lines[lines["order"] > 0]
    assert set(lines["method"]) == {"good"}
    assert lines["rank_low"].isna().all()


def test_without_the_primary_threshold_the_next_one_decides_and_says_exploratory(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    rows = kept_rows(run.root / "rows.csv")
    moved = [replace(row, protocol="healthy-fpr-1") if row.protocol == "lesion-val" else row for row in rows]
    write_rows(run.root / "rows.csv", moved)
    summarise(run, None)
    lines = read_lines(summary_path(run.root), SummaryLine)
    decides = lines[lines["order"] == 1]
    assert set(decides["protocol"]) == {"healthy-fpr-1"}
    assert set(decides["endpoint"]) == {"exploratory"}

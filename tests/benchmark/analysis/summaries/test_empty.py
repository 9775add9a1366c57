"""Runs of which nothing, or only a part, has been scored."""

from dataclasses import replace
from pathlib import Path

import pytest
from runs_by_hand import write_people, write_run

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import ranking_choice
from benchmark.analysis.summaries.make import summarise
from benchmark.statistics.primary_endpoint import read_endpoint
from benchmark.storage.rows import kept_rows
from benchmark.storage.run_tables import write_run_rows
from benchmark.storage.summary_tables import ComparisonLine, SummaryLine, comparisons_path, read_lines, summary_path
from reports.document import compose
from reports.formats.markdown import markdown

pytestmark = pytest.mark.usefixtures("plugin")
FEW = {"good": 0.45, "bad": 0.3}


def test_a_run_whose_cells_all_failed_has_tables_without_a_line(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    write_run_rows(run, "rows.csv", [])
    summarise(run, None)
    lines = read_lines(summary_path(run.root), SummaryLine)
    assert set(lines["metric"]) == {"seconds", "peak_bytes"}


def test_a_method_without_numbers_is_left_out_and_the_others_stand(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    write_run_rows(run, "rows.csv", [row for row in kept_rows(run.root / "rows.csv") if row.method == "good"])
    summarise(run, None)
    lines = read_lines(summary_path(run.root), SummaryLine)
    lines = lines[lines["order"] > 0]
    assert set(lines["method"]) == {"good"}
    assert lines["rank_low"].isna().all()


@pytest.mark.parametrize(
    ("lost", "left", "endpoint"), [("healthy-fpr-1", "lesion-val", "second"), ("lesion-val", "healthy-fpr-1", "first")]
)
def test_a_cohort_without_one_threshold_has_the_other_endpoint_alone(
    tmp_path: Path, lost: str, left: str, endpoint: str
) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    rows = [row for row in kept_rows(run.root / "rows.csv") if row.protocol != lost]
    write_run_rows(run, "rows.csv", rows)
    summarise(run, None)
    lines = read_lines(summary_path(run.root), SummaryLine)
    decides = lines[(lines["order"] == 1) & (lines["dataset"] == "patients")]
    assert set(decides["protocol"]) == {left}
    assert set(decides["endpoint"]) == {endpoint}
    assert set(decides["endpoints"]) == {1}
    pairs = read_lines(comparisons_path(run.root), ComparisonLine)
    assert set(pairs.loc[(pairs["dataset"] == "patients") & (pairs["metric"] == "dice"), "state"]) >= {"better"}
    assert "One endpoint alone, `" + left in markdown(compose(run, None, pictures=[]).blocks, run.root)


def test_without_any_threshold_of_the_release_another_one_ranks_and_says_exploratory(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    rows = [row for row in kept_rows(run.root / "rows.csv") if row.protocol != "healthy-fpr-1"]
    moved = [replace(row, postprocessing="none") if row.postprocessing == "light" else row for row in rows]
    write_run_rows(run, "rows.csv", moved)
    comparable = Comparable(run, read_endpoint())
    known = replace(comparable.scoring, postprocessing=("none",))
    comparable.__dict__["scoring"] = known
    assert comparable.endpoints("patients") == ()
    choice = ranking_choice(comparable, "patients")
    assert choice is not None
    assert (choice.metric, choice.postprocessing, choice.protocol) == ("dice", "none", "lesion-val")
    assert comparable.endpoint.rank_of(choice) == "exploratory"


def test_without_any_threshold_a_cohort_is_ranked_by_auprc_and_so_are_its_subgroups_and_shifts(tmp_path: Path) -> None:
    write_people(tmp_path / "data")
    run = write_run(tmp_path / "run", seeds=(0,), means=FEW)
    rows = [row for row in kept_rows(run.root / "rows.csv") if not row.protocol]
    write_run_rows(run, "rows.csv", rows)
    summarise(run, tmp_path / "data")
    lines = read_lines(summary_path(run.root), SummaryLine)
    lines = lines[(lines["dataset"] == "patients") & (lines["cases"] == "lesion")]
    choice = ranking_choice(Comparable(run, read_endpoint()), "patients")
    assert choice is not None
    assert (choice.metric, choice.protocol) == ("auprc", "")
    assert set(lines.loc[lines["order"] == 1, "metric"]) == {"auprc"}
    assert set(lines.loc[lines["group"].str.startswith("site="), "metric"]) == {"auprc"}
    assert set(lines.loc[lines["shift"] != "none", "metric"]) == {"auprc"}
    by_group = lines[lines["group"].str.startswith("site=")].value_counts(["method", "group"])
    assert set(by_group) == {1}

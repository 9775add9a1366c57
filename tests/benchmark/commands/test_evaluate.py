"""`evaluate`: rows are added and none lost, what is derived from them is made again, and the tables are printed."""

import shutil
from pathlib import Path

import pytest
from commandline import STUDY, Program, refused
from studies import read_table, without_order

from benchmark.execution import score_cells as scoring

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's one run is kept, that every test gets a copy of."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def run(program: Program, data: Path, shelf: Path, tmp_path: Path) -> Path:
    """A run with every report, scored by one pipeline and one protocol."""
    if not (shelf / "run").exists():
        few = ("--postprocessing", "light", "--protocols", "lesion-val")
        assert program("run", *STUDY, *few, "--data", data, "--out", shelf / "run").exit_code == 0
        assert program("report", shelf / "run", "--format", "csv", "--pictures", "").exit_code == 0
    return shutil.copytree(shelf / "run", tmp_path / "run")


def test_rows_are_added_and_reports_are_of_the_new_rows(program: Program, run: Path) -> None:
    before = without_order(read_table(run / "rows.csv"))
    told = program("evaluate", run, "--postprocessing", "none", "--protocols", "oracle", "--pictures", "")
    assert told.exit_code == 0
    rows = read_table(run / "rows.csv")
    assert set(before) <= set(without_order(rows))
    assert {row["protocol"] for row in rows} == {"", "lesion-val", "oracle"}
    assert {row["postprocessing"] for row in rows} >= {"light", "none"}
    for derived in ("report.md", "tables.csv", "summary.csv"):
        assert "oracle" in (run / derived).read_text(), derived
    assert "mean-distance" in told.stdout  # the table
    assert "Dice" in told.stdout
    again = program("evaluate", run, "--pictures", "")
    assert without_order(read_table(run / "rows.csv")) == without_order(rows)
    assert again.exit_code == 0


def test_another_folder_takes_what_is_asked_for_alone_and_the_run_stays(
    program: Program, run: Path, tmp_path: Path
) -> None:
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    scoring = ("--postprocessing", "none", "--protocols", "oracle")
    assert program("evaluate", run, *scoring, "--out", tmp_path / "other", "--pictures", "").exit_code == 0
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    rows = read_table(tmp_path / "other/rows.csv")
    assert {row["protocol"] for row in rows} == {"", "oracle"}
    assert {row["postprocessing"] for row in rows} <= {"", "none"}
    assert "got a run, expected an empty folder" in refused(program("evaluate", run, "--out", tmp_path / "other"))


def test_no_number_of_earlier_rows_is_left_where_scoring_fails(
    program: Program, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoring, "evaluate_cell", None)
    assert program("evaluate", run, "--protocols", "oracle", "--pictures", "").exit_code == 1
    assert "**failed** in evaluate" in (run / "report.md").read_text()
    summary = [line for line in read_table(run / "summary.csv") if line["method"] == "mean-distance"]
    assert [line for line in summary if line["mean"] not in ("", "nan")] == []
    shown = [line for line in read_table(run / "tables.csv") if line["row"].startswith("mean-distance")]
    assert [line for line in shown if line["value"] and line["table"] != "data-cards"] == []


def test_a_disk_that_fills_while_maps_are_scored_is_not_the_methods_fault(
    program: Program, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NumPy tells a full disk by an OSError without a number."""

    def full(*args: object) -> None:
        raise OSError("22680 requested and 6144 written")

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "evaluate_cell", full)
        line = refused(program("evaluate", run, "--protocols", "oracle"))
    assert f"{run} cannot be written: a file could not be written whole, as on a full disk." in line
    assert program("evaluate", run, "--protocols", "oracle", "--pictures", "").exit_code == 0

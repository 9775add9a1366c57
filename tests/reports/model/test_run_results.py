"""Which rows enter which cohort."""

import pytest
from scored_runs import Made

from benchmark.execution.score_cells import collect
from benchmark.storage.rows import read_rows
from benchmark.storage.run_tables import keep_digests
from datasets.errors import MissingData
from reports.model.run_results import read_results


def test_cases_with_and_without_lesion_are_on_boards_of_their_own(finished: Made, plugin: None) -> None:
    results = read_results(finished.run)
    assert [*results.lesion] == ["patients", "inpatients"]
    assert [*results.healthy] == [*results.scanned] == ["volunteers"]
    assert results.empty == []
    assert results.split == "test"


def test_a_cohort_that_was_scored_without_any_case_is_empty(validation: Made, plugin: None) -> None:
    results = read_results(validation.run)
    assert results.empty == ["inpatients"]
    assert [*results.lesion] == ["patients"]
    assert results.cohorts == ["volunteers", "patients", "inpatients"]


def test_a_cohort_whose_cells_are_still_missing_is_not_empty(made: Made) -> None:
    for cell in made.study.cells:
        if cell.cohort.dataset == "volunteers":
            (made.run.cell(cell) / "rows.csv").unlink()
            (made.run.cell(cell) / "timing.csv").unlink()
    collect(made.run)
    results = read_results(made.run)
    assert results.empty == []
    assert "volunteers" in results.healthy
    assert not results.scanned


def test_seeds_are_counted_and_simple_baselines_known(finished: Made, plugin: None) -> None:
    whole = read_results(finished.run).whole
    assert whole.seeds == {"thresh": 1, "ae[size=48]": 1}
    assert whole.simple_baselines == ["thresh"]


def test_validation_rows_do_not_enter_the_boards_of_the_test_split(made: Made) -> None:
    rows = read_rows(made.run.root / "rows.csv")
    before = made.report(pictures=[])
    rows.loc[rows["split"] == "val", "value"] = 0.987
    rows.to_csv(made.run.root / "rows.csv", index=False)
    keep_digests(made.run, ["rows.csv"])
    assert made.report(pictures=[]) == before


def test_shifted_rows_stay_out_of_the_boards(made: Made) -> None:
    before = made.report(pictures=[])
    cell = made.study.cells[1]
    path = made.run.cell(cell) / "rows.csv"
    shifted = read_rows(path)
    shifted["shift"], shifted["value"] = "gamma", 0.9
    rows = read_rows(made.run.root / "rows.csv")
    collect(made.run)
    with (made.run.root / "rows.csv").open("a") as stream:
        shifted.to_csv(stream, index=False, header=False)
    keep_digests(made.run, ["rows.csv"])
    assert len(read_rows(made.run.root / "rows.csv")) > len(rows)
    assert made.report(pictures=[]) == before


def test_a_run_without_rows_says_how_to_make_them(made: Made) -> None:
    (made.run.root / "rows.csv").unlink()
    with pytest.raises(MissingData, match="python -m benchmark evaluate"):
        made.report()

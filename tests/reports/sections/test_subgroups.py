"""Means by site, age and sex, of a run written by hand."""

import csv
from dataclasses import replace
from pathlib import Path

from runs_by_hand import write_people, write_run
from scored_runs import lines_of

from benchmark.analysis.summaries.make import summarise
from benchmark.storage.rows import blank_row
from benchmark.storage.run_record import kept_cells
from benchmark.storage.run_tables import kept_run_rows, write_run_rows
from reports.content.blocks import tables_of
from reports.model.run_results import read_results
from reports.sections.subgroups import subgroups


def test_a_group_that_a_metric_has_no_case_of_is_shown_as_missing(tmp_path: Path, plugin: None) -> None:
    """Of a cohort that mixes both, only women have lesions."""
    run, people = write_run(tmp_path / "run", seeds=(0,)), tmp_path / "data" / "inpatients" / "cases.csv"
    write_people(tmp_path / "data")
    sexes = {**{f"p{index:02d}": "F" for index in range(4)}, "h00": "M", "h01": "F"}
    people.parent.mkdir()
    with people.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["case_id", "subject_id", "split", "sequences", "sex"])
        writer.writerows([name, name, "test", "t1", sex] for name, sex in sexes.items())
    healthy = [
        replace(
            blank_row(cell), split="test", postprocessing="light", protocol="healthy-fpr-1",
            case_id=name, subject_id=name, metric=metric, value=0.25,
        )
        for cell in kept_cells(run)
        if cell.cohort.dataset == "inpatients" and cell.shift.is_none
        for name in ("h00", "h01")
        for metric in ("alarm", "alarm_fraction")
    ]  # fmt: skip
    write_run_rows(run, "rows.csv", [*kept_run_rows(run), *healthy])
    summarise(run, tmp_path / "data")
    found = {table.name: lines_of(table) for table in tables_of(subgroups(read_results(run)))}
    dice = found["inpatients-sex-dice-light-healthy-fpr-1"]
    assert list(dice["good"]) == ["Method", "female (n 4)", "male (n 0)"]
    assert [line["male (n 0)"] for line in dice.values()] == ["", "", ""]
    flagged = found["inpatients-sex-alarm_fraction-light-healthy-fpr-1"]
    assert list(flagged["good"]) == ["Method", "female (n 1)", "male (n 1)"]
    assert [line["male (n 1)"] for line in flagged.values()] == ["0.2500"] * 3

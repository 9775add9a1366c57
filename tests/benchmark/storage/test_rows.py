"""Rows come back from CSV as they were written, to the last digit."""

from dataclasses import astuple, replace
from math import isnan, nan
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmark.storage.rows import COLUMNS, Row, blank_row, read_rows, write_rows
from benchmark.study.cells import Cell, Cohort, Fit
from datasets.errors import BadFile
from datasets.grid import Grid
from datasets.io.tables import join_tables
from datasets.shifts import Shift

ROW = Row(
    "ae[steps=1,size=2]", "lgg", "t1", "none", 0.0, 1, 2, "test", "paper", "oracle", "007", "NA", "dice", 0.1, "k"
)


def test_a_blank_row_tells_the_cell() -> None:
    fit = Fit("ae", "m:A", {}, Cohort("ixi", "t1", "0"), Grid(), 3)
    cell = Cell(fit, Cohort("lgg", "t1", "1"), Shift("gamma", 0.5), sampling_seed=4)
    blank = blank_row(cell)
    assert astuple(blank)[:7] == ("ae", "lgg", "t1", "gamma", 0.5, 3, 4)
    assert blank.key == cell.key
    assert isnan(blank.value)
    assert {blank.split, blank.case_id, blank.metric, blank.protocol} == {""}


def test_numbers_keep_every_digit_and_text_stays_text(tmp_path: Path) -> None:
    values = [0.1, 1 / 3, 1e-300, 12345678901234567.0, float(np.float32(0.1)), 0.0, nan]
    write_rows(tmp_path / "rows.csv", [replace(ROW, value=value) for value in values])
    frame = read_rows(tmp_path / "rows.csv")
    assert np.array_equal(frame["value"], values, equal_nan=True)
    first = frame.iloc[0]
    assert (first["case_id"], first["subject_id"], first["method"]) == ("007", "NA", "ae[steps=1,size=2]")
    assert tuple(frame.columns) == COLUMNS


def test_a_row_holds_no_text_of_its_own_however_its_table_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names stay names, also those that look like numbers, and are in order, whichever block they first stand in."""
    names = ["10", "9", "", "nan", "9", "1e3"]
    write_rows(tmp_path / "rows.csv", [replace(ROW, case_id=name, value=place) for place, name in enumerate(names)])
    whole = read_rows(tmp_path / "rows.csv")
    monkeypatch.setattr("benchmark.storage.rows.ROWS_AT_ONCE", 2)
    in_blocks = read_rows(tmp_path / "rows.csv")
    pd.testing.assert_frame_equal(in_blocks, whole)
    assert in_blocks["case_id"].tolist() == names
    assert list(in_blocks["case_id"].cat.categories) == sorted(set(names))
    assert {str(kind) for kind in in_blocks.dtypes} == {"category", "float64"}


def test_a_perfect_map_has_no_seed_and_a_pooled_metric_no_case(tmp_path: Path) -> None:
    write_rows(tmp_path / "rows.csv", [replace(ROW, seed=None, sampling_seed=None, case_id="")])
    (only,) = read_rows(tmp_path / "rows.csv").to_dict("records")
    assert isnan(only["seed"])
    assert isnan(only["sampling_seed"])
    assert only["case_id"] == ""


def test_names_with_commas_quotes_and_other_alphabets_come_back(tmp_path: Path) -> None:
    names = ['a,"b"', "Zürich 1", "a\u2028b", "None", "nan"]
    write_rows(tmp_path / "part.csv", [replace(ROW, case_id=name) for name in names])
    join_tables([tmp_path / "part.csv"], tmp_path / "rows.csv", COLUMNS)
    assert read_rows(tmp_path / "rows.csv")["case_id"].tolist() == names


def test_joining_keeps_order_and_one_header(tmp_path: Path) -> None:
    parts = [tmp_path / f"{index}.csv" for index in range(3)]
    for index, part in enumerate(parts):
        write_rows(part, [replace(ROW, value=float(index))] * index)
    join_tables(parts, tmp_path / "rows.csv", COLUMNS)
    assert read_rows(tmp_path / "rows.csv")["value"].tolist() == [1.0, 2.0, 2.0]
    assert (tmp_path / "rows.csv").read_text().count("case_id") == 1


def test_joining_nothing_gives_an_empty_table(tmp_path: Path) -> None:
    join_tables([], tmp_path / "rows.csv", COLUMNS)
    assert read_rows(tmp_path / "rows.csv").empty


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("method,value\nae,1\n")
    with pytest.raises(BadFile, match=rf"^{path}: got columns \['method', 'value'\], expected"):
        read_rows(path)

"""Tables: how cells read, and which columns are dropped."""

from math import nan

from hypothesis import given, settings
from hypothesis import strategies as st

from reports.content.table import UNDEFINED, Cell, Column, Table, said, text_columns
from reports.content.text import as_text


def shown(cell: Cell, **column: object) -> str:
    return str(cell.shown(Column("Dice", **column)))  # type: ignore[arg-type]


def test_a_cell_says_its_state_number_interval_and_note() -> None:
    assert shown(Cell(0.25, 0.125, 0.5, note="n 3", state="better")) == "▲ 0.250 (0.125 to 0.500) n 3"
    assert shown(Cell(absent=UNDEFINED)) == "n/a"
    assert shown(Cell(state="not testable")) == "-"
    assert shown(Cell()) == ""
    assert shown(said("1-3", 1.0)) == "1-3"


@settings(deadline=None)
@given(st.floats(-1e6, 1e6))
def test_a_number_has_a_true_minus_sign_and_none_before_zero(value: float) -> None:
    text = shown(Cell(value), signed=True)
    assert "-" not in text
    assert float(text.replace("−", "-").replace(",", "")) == round(value, 3)
    assert not text.startswith("−0.000")


def test_a_heading_begins_with_the_title_and_has_unit_and_direction() -> None:
    assert Column("Time", "s", False).heading == "Time (s) ↓"
    assert Column("Dice", "", True).heading == "Dice ↑"


def test_a_column_that_equals_another_is_dropped_and_named() -> None:
    columns = [*text_columns("Method"), Column("a"), Column("b"), Column("c")]
    rows = [[said(name), Cell(value), Cell(value), Cell(1 - value)] for name, value in (("x", 0.25), ("y", 0.75))]
    made = Table("t", as_text("Numbers."), columns, rows).without_doubles()
    assert [column.title for column in made.columns] == ["Method", "a", "c"]
    assert str(made.caption) == "Numbers. b equals a in every row."
    assert [len(row) for row in made.rows] == [3, 3]


def test_columns_in_which_nothing_stands_and_columns_of_text_are_kept() -> None:
    columns = [*text_columns("Method", "Also"), Column("a"), Column("b")]
    rows = [[said("x"), said("x"), Cell(nan), Cell(nan)]]
    assert len(Table("t", as_text(""), columns, rows).without_doubles().columns) == 4

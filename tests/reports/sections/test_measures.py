"""What of a measure is the best, and how undefined and missing numbers read."""

from math import nan

import pytest

from reports.content.table import Column
from reports.content.text import as_text
from reports.model.cohort_results import Number
from reports.sections.columns import Measure, measured


def one(value: float, defined: int = 2, wanted: int = 2) -> Number:
    return Number(value, 0.0, defined, wanted)


def measure(numbers: dict[str, Number], higher: bool | None = True, **facts: object) -> Measure:
    return Measure(Column("", "", higher), numbers, **facts)  # type: ignore[arg-type]


def best(made: Measure) -> str:
    return "".join(str(line) for line, cell in made.cells.items() if cell.best)


def test_what_has_no_number_is_undefined_or_blank() -> None:
    made = measure({"undefined": Number(wanted=2), "missing": Number(), "perfect-map": Number(wanted=2)})
    assert [str(cell.shown(made.column)) for cell in made.cells.values()] == ["n/a", "", ""]


def test_a_number_over_some_patients_says_over_how_many() -> None:
    made = measure({"ae": one(0.5, defined=1)})
    assert str(made.cells["ae"].shown(made.column)) == "0.500 [1/2]"


@pytest.mark.parametrize(
    ("numbers", "higher", "wanted"),
    [
        ({"a": one(0.30001), "b": one(0.29999), "c": one(0.2)}, True, "ab"),  # equal as printed
        ({"a": one(0.3), "b": one(0.3)}, True, ""),
        ({"a": one(0.3), "b": one(0.2)}, None, ""),
        ({"a": one(0.1), "b": one(0.2), "perfect-map": one(1.0)}, True, "b"),
        ({"a": one(0.9, defined=1), "b": one(0.2), "c": one(0.1)}, True, ""),  # the best lacks a patient
        ({"a": one(0.15, defined=1), "b": one(0.2), "c": one(0.1)}, True, "b"),
        ({"a": one(0.3), "b": one(0.2), "c": one(nan, defined=0)}, False, "b"),
    ],
)
def test_the_best_is_marked(numbers: dict[str, Number], higher: bool | None, wanted: str) -> None:
    assert best(measure(numbers, higher)) == wanted


def test_what_is_not_ranked_and_what_is_not_to_be_marked_take_no_part() -> None:
    numbers = {"a": one(0.1), "b": one(0.2), "told": one(0.9)}
    assert best(measure(numbers, unranked=["told"])) == "b"
    assert best(measure(numbers, marked=False)) == ""


def test_a_measure_that_no_line_has_is_left_out() -> None:
    columns = [measure({"a": one(0.5)}), measure({"a": Number()})]
    assert len(measured("t", as_text("T."), ["a"], {"Method": str}, columns).columns) == 2

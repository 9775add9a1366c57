"""What of a column is bold, and how undefined and missing numbers read."""

from reports.model.cohort_results import Number
from reports.sections.columns import Column


def test_what_has_no_number_is_undefined_or_missing() -> None:
    column = Column("", {"undefined": Number(wanted=2), "missing": Number(), "perfect-map": Number()})
    assert [column.text(line) for line in ("undefined", "missing", "perfect-map")] == ["n/a", "-", ""]


def test_a_number_over_some_patients_says_over_how_many() -> None:
    assert Column("", {"ae": one(0.5, defined=1)}).text("ae") == "0.500 [1/2]"


def one(value: float, defined: int = 2, wanted: int = 2) -> Number:
    return Number(value, 0.0, defined, wanted)


def test_ties_at_the_printed_precision_are_all_bold() -> None:
    column = Column("", {"a": one(0.30001), "b": one(0.29999), "c": one(0.2)}, True)
    assert [column.text(line) for line in "abc"] == ["**0.300**", "**0.300**", "0.200"]


def test_nothing_is_bold_where_all_are_equal_or_nothing_is_better() -> None:
    assert Column("", {"a": one(0.3), "b": one(0.3)}, True).text("a") == "0.300"
    assert Column("", {"a": one(0.3), "b": one(0.2)}, None).text("a") == "0.300"


def test_the_perfect_map_takes_no_part() -> None:
    column = Column("", {"a": one(0.1), "b": one(0.2), "perfect-map": one(1.0)}, True)
    assert [column.text(line) for line in ("a", "b", "perfect-map")] == ["0.100", "**0.200**", "1.000"]


def test_what_is_not_ranked_takes_no_part() -> None:
    column = Column("", {"a": one(0.1), "b": one(0.2), "told": one(0.9)}, True, unranked=["told"])
    assert [column.text(line) for line in ("a", "b", "told")] == ["0.100", "**0.200**", "0.900"]


def test_nothing_is_bold_where_the_best_is_not_over_all_patients() -> None:
    ahead = Column("", {"a": one(0.9, defined=1), "b": one(0.2), "c": one(0.1)}, True)
    assert [ahead.text(line) for line in "abc"] == ["0.900 [1/2]", "0.200", "0.100"]
    behind = Column("", {"a": one(0.15, defined=1), "b": one(0.2), "c": one(0.1)}, True)
    assert [behind.text(line) for line in "abc"] == ["0.150 [1/2]", "**0.200**", "0.100"]


def test_the_lowest_is_bold_where_lower_is_better() -> None:
    column = Column("", {"a": one(0.3), "b": one(0.2)}, False)
    assert [column.text(line) for line in "ab"] == ["0.300", "**0.200**"]

"""What of a column is bold, and how undefined and missing numbers read."""

from math import nan

from cohort_rows import frame, row

from reports.model.numbers import Number, number
from reports.sections.columns import Column


def test_a_metric_without_rows_is_missing_unless_its_threshold_is_undefined() -> None:
    rows = frame([row("ae", "", "threshold", nan, "paper lesion-val"), row("ae", "p0", "auprc", 0.5, "paper")])
    column = Column(
        "", {"undefined": number(rows, "dice", "paper", "lesion-val"), "missing": number(rows, "auroc", "paper")}
    )
    assert column.text("undefined") == "n/a"
    assert column.text("missing") == "-"


def test_a_case_without_row_counts_as_wanted() -> None:
    rows = frame([row("ae", "p0", "auprc", 0.5, "paper"), row("ae", "p1", "lesion_ml", 3.0)])
    assert Column("", {"ae": number(rows, "auprc", "paper")}).text("ae") == "0.500 [1/2]"


def one(value: float, defined: int = 2, wanted: int = 2) -> Number:
    return Number(value, 0.0, (value,), defined, wanted)


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


def test_nothing_is_bold_where_the_best_is_not_over_all_cases() -> None:
    ahead = Column("", {"a": one(0.9, defined=1), "b": one(0.2), "c": one(0.1)}, True)
    assert [ahead.text(line) for line in "abc"] == ["0.900 [1/2]", "0.200", "0.100"]
    behind = Column("", {"a": one(0.15, defined=1), "b": one(0.2), "c": one(0.1)}, True)
    assert [behind.text(line) for line in "abc"] == ["0.150 [1/2]", "**0.200**", "0.100"]


def test_the_lowest_is_bold_where_lower_is_better() -> None:
    column = Column("", {"a": one(0.3), "b": one(0.2)}, False)
    assert [column.text(line) for line in "ab"] == ["0.300", "**0.200**"]

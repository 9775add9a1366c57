"""One line for a finding, and the order of many."""

import re
from itertools import permutations
from pathlib import Path

import pytest

from datasets.audit.finding import SEVERITIES, Finding, by_severity, errors_of, unreadable_file
from datasets.errors import BadVolume, MissingData


def finding(severity: str = "error", code: str = "odd", cases: tuple[str, ...] = ()) -> Finding:
    return Finding(severity, code, "mine", cases, "this", "that")  # type: ignore[arg-type]


@pytest.mark.parametrize("count", range(1, 12))
def test_the_cases_that_are_named_and_those_that_are_counted_are_all(count: int) -> None:
    cases = tuple(f"case{number}" for number in range(count))
    line = str(finding(cases=cases))
    more = re.search(r"and (\d+) more", line)
    named = [name for name in cases if re.search(rf"\b{name}\b", line)]
    assert named == list(cases[: len(named)])
    assert 1 <= len(named) < 10
    assert len(named) + (int(more[1]) if more else 0) == count
    assert more is None or int(more[1]) > 0


def test_a_line_says_whose_it_is_what_was_got_and_what_was_expected() -> None:
    assert str(finding()) == "mine: got this, expected that [odd]."
    assert (
        str(Finding("note", "odd", "mine", ("a",), "this", "that", "a.nii")) == "a.nii: got this, expected that [odd]."
    )


def test_a_file_that_cannot_be_read_is_an_error_that_keeps_what_its_reader_said() -> None:
    volume = BadVolume(Path("a.nii"), "not-finite", "3 NaN", "numbers")
    for error, said in (
        (volume, ("not-finite", "3 NaN", "numbers")),
        (MissingData("No file a.nii."), ("missing-file", "No file a.nii", "a file")),
    ):
        told = unreadable_file("mine", "a", "a.nii", error)
        assert (told.code, told.got, told.expected) == said
        assert (told.severity, told.cohort, told.cases, told.file, told.flag) == (
            "error",
            "mine",
            ("a",),
            "a.nii",
            "partial",
        )


def test_errors_come_first_and_equal_findings_once_whatever_the_order() -> None:
    made = [finding(severity, code) for severity in ("note", "error", "warning") for code in ("b", "a")]
    wanted = [finding(severity, code) for severity in SEVERITIES for code in ("a", "b")]
    for order in list(permutations(made))[::60]:
        assert by_severity([*order, *order]) == wanted
    assert errors_of(made) == [one for one in made if one.severity == "error"]

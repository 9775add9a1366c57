"""What an audit tells on the terminal: all findings are there, named or counted, and can be read at a glance."""

import json
import re

import pytest

from datasets.audit.finding import SEVERITIES, Finding
from datasets.audit.report import WIDTH, as_json, findings_text, kinds_text, summary


def finding(severity: str = "error", at: int = 0, *, got: str = "this", file: str = "") -> Finding:
    return Finding(severity, "odd", "mine", (f"case{at}",), got, "that", file)  # type: ignore[arg-type]


@pytest.mark.parametrize("count", range(4))
@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_summary_counts_each_severity_and_one_is_no_plural(severity: str, count: int) -> None:
    told = dict(reversed(part.split()) for part in summary([finding(severity)] * count).rstrip(".").split(", "))
    names = [f"{name}s" if name != severity or count != 1 else name for name in SEVERITIES]
    assert told == {name: str(count if name.startswith(severity) else 0) for name in names}
    assert json.loads(as_json([finding(severity)] * count))[f"{severity}s"] == count


@pytest.mark.parametrize("count", range(1, 9))
def test_cases_of_one_finding_and_findings_of_one_kind_are_all_named_or_counted(count: int) -> None:
    text = " ".join(" ".join(kinds_text([finding(at=at) for at in range(count)])).split())
    more = re.search(r"and (\d+) more\]", text)
    assert len(re.findall(r"case\d", text)) + (int(more[1]) if more else 0) == count
    assert (f"{count} findings" in text) == ("findings" in text) == (count > 1)

    text = " ".join(" ".join(kinds_text([finding(got=f"sort{at}") for at in range(count)])).split())
    more = re.search(r"and (\d+) more of this kind", text)
    assert len(re.findall(r"sort\d", text)) + (int(more[1]) if more else 0) == count
    assert more is None or int(more[1]) > 0


@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_is_said_of_a_kind_stands_below_its_name_and_goes_on_further_in(severity: str) -> None:
    lines = findings_text([finding(severity, got="a word " * 40)]).splitlines()
    head, first, *further, last = lines
    assert max(map(len, lines)) <= WIDTH
    assert head.startswith(severity.upper())
    column = head.index("odd")
    assert first.index("got") == column
    assert {len(line) - len(line.lstrip()) for line in further} == {column + 2}
    assert last == summary([finding(severity)])


def test_a_file_of_a_case_stands_for_it_and_a_table_does_not() -> None:
    assert "[t1/case0.nii.gz]" in kinds_text([finding(file="/data/mine/t1/case0.nii.gz")])[-1]
    assert "[case0]" in kinds_text([finding(file="/data/mine/cases.csv")])[-1]

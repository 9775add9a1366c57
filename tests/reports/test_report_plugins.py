"""Sections and formats of plugins: where they stand in a report, and what is refused."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest
from runs_by_hand import write_run
from typer.testing import CliRunner

from benchmark.analysis.summaries.make import summarise
from benchmark.commands.main import app
from benchmark.storage.folder import RunFolder
from datasets.errors import BadValue, UnknownName
from reports.api import FORMATS, write_report
from reports.sections.registry import SECTIONS, in_reading_order

POINTS = """\
[uadbench.sections]
weather = report_plugin:WEATHER
closing = report_plugin:CLOSING
lost = report_plugin:LOST
partless = report_plugin:PARTLESS
failing = report_plugin:FAILING
wordless = report_plugin:WORDLESS
absent = package_that_is_not_installed:SECTION

[uadbench.formats]
shout = report_plugin:SHOUT
thief = report_plugin:THIEF
failing = report_plugin:UNWRITTEN
"""
MODULE = """
from reports.content.blocks import Paragraph
from reports.formats.markdown import markdown
from reports.formats.registry import OutputFormat
from reports.sections.registry import Section

WEATHER = Section(
    "weather", "the sky", lambda results: [results.heading("Weather"), Paragraph("Rain.")], "why", "pairwise-tests"
)
CLOSING = Section("closing", "an end", lambda results: [results.heading("The end")])
LOST = Section("lost", "nowhere", lambda results: [], after="at-a-glimpse")
PARTLESS = Section("partless", "nowhere", lambda results: [], part="coda")


def shout(document, path):
    path.write_text(markdown(document.blocks, document.run.root).upper())


SHOUT = OutputFormat("shout", "capitals", "report.txt", shout)
FAILING = Section("failing", "none", lambda results: 1 / 0, "why", "pairwise-tests")
WORDLESS = Section("wordless", "none", lambda results: "Rain.", "why", "pairwise-tests")
UNWRITTEN = OutputFormat("failing", "none", "failing.txt", lambda document, path: 1 / 0)
THIEF = OutputFormat("thief", "another's file", "report.md", shout)
"""


@pytest.fixture(autouse=True)
def report_plugin(tmp_path: Path, plugin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    metadata = tmp_path / "site" / "weather_report-2.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: weather-report\nVersion: 2.0\nSummary: Weather\n")
    (metadata / "entry_points.txt").write_text(POINTS)
    (tmp_path / "site" / "report_plugin.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path / "site")


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    made = write_run(tmp_path / "run", seeds=(0,), means={"good": 0.45, "bad": 0.3})
    summarise(made, None)
    return made


def test_a_plugins_section_stands_where_it_says_and_a_broken_one_costs_only_itself(
    run: RunFolder, caplog: pytest.LogCaptureFixture
) -> None:
    ordered = [(part, one.name) for part, one in in_reading_order()]
    first = ordered.index(("why", "pairwise-tests"))
    assert ordered[first + 1 : first + 4] == [("why", "failing"), ("why", "weather"), ("why", "wordless")]
    assert ordered[-2:] == [("appendix", "configuration"), ("appendix", "closing")]
    assert "'partless': got part='coda', expected one of: verdict, explore, why" in caplog.text
    assert "'lost': got after='at-a-glimpse'" in caplog.text
    assert "'absent' (package_that_is_not_installed:SECTION" in caplog.text
    (path,) = write_report(run, None, pictures=[])
    report = path.read_text(encoding="utf-8")
    assert report.index("## Verdict") < report.index("### Weather\n\nRain.") < report.index("### What was run")
    assert report.rstrip().endswith("<details><summary>The end</summary>\n\n\n\n</details>")
    assert SECTIONS["weather"].origin == "weather-report 2.0"


def test_a_plugins_format_is_written_beside_the_built_in_ones(run: RunFolder) -> None:
    result = CliRunner().invoke(app, ["report", str(run.root), "--pictures", "", "--format", "md,shout"])
    assert result.exit_code == 0, result.output
    assert "## VERDICT" in (run.root / "report.txt").read_text(encoding="utf-8")
    assert "## Verdict" in (run.root / "report.md").read_text(encoding="utf-8")


def test_a_format_may_not_take_the_file_of_another(run: RunFolder) -> None:
    with pytest.raises(BadValue, match=r"'thief': got file 'report.md', expected one of no built-in format"):
        write_report(run, None, formats=["thief"], pictures=[])


def test_names_that_do_not_exist_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"No report format 'htm'. Did you mean 'html'"):
        FORMATS["htm"]
    with pytest.raises(UnknownName, match=r"No report section 'note'. Did you mean 'notes'"):
        SECTIONS["note"]


def test_a_section_or_format_that_fails_costs_only_itself(run: RunFolder, caplog: pytest.LogCaptureFixture) -> None:
    written = write_report(run, None, formats=["failing", "md"], pictures=[])
    assert written == [run.root / "report.md"]
    assert "## Weather" in written[0].read_text(encoding="utf-8")
    for part, reason in (
        ("section 'failing'", "ZeroDivisionError"),
        ("section 'wordless'", "TypeError: got str of write, expected a sequence of blocks"),
        ("format 'failing'", "ZeroDivisionError"),
    ):
        assert f"Report {part} of weather-report 2.0 is left out: {reason}" in caplog.text


@pytest.mark.parametrize(
    "file",
    ["", "..", "../report.txt", "/tmp/report.txt", "figures/a.md", "a\\b.txt", "study.json", "Rows.csv", "report.md"],
)
def test_a_format_may_not_write_over_what_a_run_holds(monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    module = importlib.import_module("report_plugin")
    monkeypatch.setattr(module, "SHOUT", replace(module.SHOUT, file=file))
    with pytest.raises(BadValue, match="'shout': got file"):
        FORMATS["shout"]


def test_two_formats_may_not_write_one_file(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("report_plugin")
    monkeypatch.setattr(module, "SHOUT", replace(module.SHOUT, file="failing.txt"))
    with pytest.raises(BadValue, match=r"'shout': got file 'failing\.txt' of failing and shout"):
        write_report(run, None, formats=["shout"], pictures=[])

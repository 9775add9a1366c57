"""Sections and formats of plugins: where they stand in a report, and what is refused."""

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
absent = package_that_is_not_installed:SECTION

[uadbench.formats]
shout = report_plugin:SHOUT
thief = report_plugin:THIEF
"""
MODULE = """
from reports.formats.registry import OutputFormat
from reports.sections.registry import Section

WEATHER = Section("weather", "the sky", lambda results: f"{results.heading('Weather')}\\n\\nRain.", after="at-a-glance")
CLOSING = Section("closing", "an end", lambda results: results.heading("The end"))
LOST = Section("lost", "nowhere", lambda results: "", after="at-a-glimpse")


def shout(document, path):
    path.write_text("\\n".join(document.sections).upper())


SHOUT = OutputFormat("shout", "capitals", "report.txt", shout)
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
    names = [one.name for one in in_reading_order()]
    assert names[:2] == ["at-a-glance", "weather"]
    assert names[-2:] == ["configuration", "closing"]
    assert "'lost': got after='at-a-glimpse'" in caplog.text
    assert "'absent' (package_that_is_not_installed:SECTION" in caplog.text
    (path,) = write_report(run, None, pictures=[])
    report = path.read_text(encoding="utf-8")
    assert report.index("## At a glance") < report.index("## Weather\n\nRain.") < report.index("## What was run")
    assert report.rstrip().endswith("## The end")
    assert SECTIONS["weather"].origin == "weather-report 2.0"


def test_a_plugins_format_is_written_beside_the_built_in_ones(run: RunFolder) -> None:
    result = CliRunner().invoke(app, ["report", str(run.root), "--pictures", "", "--format", "md,shout"])
    assert result.exit_code == 0, result.output
    assert "## AT A GLANCE" in (run.root / "report.txt").read_text(encoding="utf-8")
    assert "## At a glance" in (run.root / "report.md").read_text(encoding="utf-8")


def test_a_format_may_not_take_the_file_of_another(run: RunFolder) -> None:
    with pytest.raises(BadValue, match=r"'thief': got file 'report.md', expected one of no built-in format"):
        write_report(run, None, formats=["thief"], pictures=[])


def test_names_that_do_not_exist_are_refused_with_a_suggestion() -> None:
    with pytest.raises(UnknownName, match=r"No report format 'htm'. Did you mean 'html'"):
        FORMATS["htm"]
    with pytest.raises(UnknownName, match=r"No report section 'note'. Did you mean 'notes'"):
        SECTIONS["note"]

"""The command line, called in an empty folder, with its report or without."""

from pathlib import Path

import pytest
from commandline import Program, call


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """The program, called in an empty folder."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("UADBENCH_DATA", raising=False)
    return call


@pytest.fixture
def no_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program writes no report: most of a short run's time, and nothing to a test that does not look at it."""
    monkeypatch.setattr("reports.api.write_report", lambda run, data, **options: [run.root / "report.md"])

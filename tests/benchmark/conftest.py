"""The command line, called in an empty folder."""

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

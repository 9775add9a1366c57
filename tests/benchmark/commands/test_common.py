"""Progress of the library as lines of the command line."""

import logging
import sys
from io import StringIO
from types import SimpleNamespace

import pytest

from benchmark.commands.common import QUIET, VERBOSE, bold, print_line, progress_lines, text_width
from datasets.commands.common import painted

LOG = logging.getLogger("benchmark.execution.worker")


def test_progress_goes_to_stdout_with_its_prefix_and_warnings_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_lines("1| "):
        LOG.info("  mapped %d cases", 3)
        LOG.error("  FAILED")
        LOG.warning("Out of memory")
        LOG.debug("not shown")
    out, err = capsys.readouterr()
    assert out == "1|   mapped 3 cases\n1|   FAILED\n"
    assert err == "WARNING benchmark.execution.worker: Out of memory\n"


def test_every_case_is_said_where_that_is_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VERBOSE, "1")
    with progress_lines():
        LOG.debug("mapped case-1")
    monkeypatch.setenv(QUIET, "1")
    with progress_lines():
        LOG.info("not shown")
    assert capsys.readouterr().out == "mapped case-1\n"


def test_progress_of_a_command_with_a_table_on_stdout_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_lines(err=True):
        LOG.info("zscore, fp32")
    assert capsys.readouterr() == ("", "zscore, fp32\n")


def test_of_other_libraries_only_warnings_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_lines():
        other = logging.getLogger("benchmarkable")
        other.error("broken")
        other.info("fine")
    assert capsys.readouterr() == ("", "ERROR benchmarkable: broken\n")


def test_nothing_is_printed_outside_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_lines():
        pass
    LOG.info("mapped")
    assert capsys.readouterr() == ("", "")


class ClosedPipe(StringIO):
    """What `| head` leaves of stdout."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def write(self, text: str) -> int:
        raise BrokenPipeError

    def fileno(self) -> int:
        return self.descriptor


def test_a_closed_pipe_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    with (tmp_path_factory.mktemp("pipe") / "out").open("w") as stream:
        monkeypatch.setattr(sys, "stdout", ClosedPipe(stream.fileno()))
        print_line("Report: report.md")
        stream.write("nowhere")
    assert not (tmp_path_factory.getbasetemp() / "pipe0" / "out").read_text()


class Stream(StringIO):
    def __init__(self, on_terminal: bool) -> None:
        super().__init__()
        self.isatty = lambda: on_terminal  # type: ignore[method-assign]


@pytest.mark.parametrize(
    ("on_terminal", "environment", "coloured"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
    ],
)
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, on_terminal: bool, environment: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Stream(on_terminal)
    assert (painted("Error:", stream, fg="red") != "Error:") == coloured
    monkeypatch.setattr(sys, "stdout", stream)
    assert (bold("first") != "first") == coloured


@pytest.mark.parametrize(("on_terminal", "columns", "width"), [(True, 120, 120), (True, 30, 60), (False, 30, 100)])
def test_text_is_as_wide_as_the_terminal_and_a_page_elsewhere(
    monkeypatch: pytest.MonkeyPatch, on_terminal: bool, columns: int, width: int
) -> None:
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: on_terminal))
    monkeypatch.setenv("COLUMNS", str(columns))
    assert text_width() == width

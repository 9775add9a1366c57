"""Options that several commands share, and the printing of progress."""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from datasets.errors import UnknownName
from datasets.grid import GRIDS, Grid

Data = Annotated[Path, typer.Option(envvar="UADBENCH_DATA", help="Folder of the prepared cohorts.", file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="As a JSON list.")]
Preset = Annotated[str, typer.Option(help=f"Grid: {' or '.join(GRIDS)}.")]


def painted(text: str, stream: TextIO, **style: Any) -> str:
    """Text in a style of `typer.style` where the stream is a terminal with colours that NO_COLOR does not forbid."""
    wanted = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return typer.style(text, **style) if wanted else text


def print_mistake(error: object) -> None:
    """One line on stderr, of a mistake of the user's."""
    typer.echo(f"{painted('Error:', sys.stderr, fg='red', bold=True)} {error}", err=True)


def preset_grid(name: str) -> Grid:
    """The grid of a preset; raises UnknownName."""
    if name not in GRIDS:
        raise UnknownName("preset", name, GRIDS)
    return GRIDS[name]


@contextmanager
def progress_lines(*, err: bool = False) -> Iterator[None]:
    """Print what the data sets log of their progress, a line each; warnings to stderr, with `err` all of it."""
    terminal, ours = _Terminal(err), logging.getLogger("datasets")
    level = ours.level
    ours.addHandler(terminal)
    ours.setLevel(logging.INFO)
    try:
        yield
    finally:
        ours.setLevel(level)
        ours.removeHandler(terminal)


class _Terminal(logging.Handler):
    def __init__(self, err: bool) -> None:
        super().__init__()
        self.err = err

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(record.getMessage(), err=self.err or record.levelno >= logging.WARNING)

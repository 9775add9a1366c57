"""Options that several commands share, and the printing of progress."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from datasets.errors import UnknownName
from datasets.grid import GRIDS, Grid

Data = Annotated[Path, typer.Option(envvar="UADBENCH_DATA", help="Folder of the prepared cohorts.", file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="As a JSON list.")]
Preset = Annotated[str, typer.Option(help=f"Grid: {' or '.join(GRIDS)}.")]


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

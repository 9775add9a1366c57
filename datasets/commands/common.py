"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from datasets.errors import UnknownName
from datasets.grid import GRIDS, Grid

Data = Annotated[Path, typer.Option(envvar="UADBENCH_DATA", help="Folder of the prepared cohorts.", file_okay=False)]
Json = Annotated[bool, typer.Option("--json", help="As a JSON list.")]
Preset = Annotated[str, typer.Option(help="Grid: paper or quick.")]


def preset_grid(name: str) -> Grid:
    """The grid of a preset; raises UnknownName."""
    if name not in GRIDS:
        raise UnknownName("preset", name, GRIDS)
    return GRIDS[name]

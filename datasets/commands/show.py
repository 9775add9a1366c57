"""The command `show`: a picture of a cohort's scans, unshifted and shifted."""

from pathlib import Path
from typing import Annotated

import typer

from datasets.cohorts.catalog import dataset
from datasets.commands.shifts import Data
from datasets.errors import BadValue, UnknownName
from datasets.grid import GRIDS
from datasets.shift_requests import AskedShift, parse_shifts

app = typer.Typer()
MOST_SHOWN = 3


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A cohort.")],
    data: Data,
    shift: Annotated[
        str | None, typer.Option(help="gamma, gamma=0.5, ... as of `benchmark run --shifts`; default: none.")
    ] = None,
    case: Annotated[list[str] | None, typer.Option(help="A case id; repeatable. Default: the first three.")] = None,
    sequence: Annotated[str | None, typer.Option(help="Default: the cohort's first.")] = None,
    preset: Annotated[str, typer.Option(help="Grid: paper or quick.")] = "paper",
    out: Annotated[Path | None, typer.Option(help="The picture; default: NAME.png or NAME-shifts.png.")] = None,
) -> None:
    """Draw scans with their masks, or what shifts make of them with the dose below each."""
    from datasets.commands.pictures import draw_scans, draw_shifts, shown_cases
    from datasets.shift_requests import landmarks_of

    if preset not in GRIDS:
        raise UnknownName("preset", preset, GRIDS)
    spec = dataset(name)
    sequence = sequence or spec.sequences[0]
    files = shown_cases(spec.files(data, sequence), case or (), MOST_SHOWN)
    asked: list[AskedShift] = parse_shifts(shift or "")
    if shift and not asked:
        raise BadValue(f"--shift: got '{shift}', wanted one or more names; see: python -m datasets shifts")
    path = out or Path(f"{spec.name}-shifts.png" if asked else f"{spec.name}.png")
    grid = GRIDS[preset]
    if asked:
        cohorts = dict.fromkeys(one.cohort for one in asked if one.cohort)
        landmarks = {cohort: landmarks_of(cohort, data, sequence, grid) for cohort in cohorts}
        draw_shifts(files, grid, [one.shift(landmarks.get(one.cohort, ())) for one in asked], path)
    else:
        draw_scans(files, grid, path)
    typer.echo(f"Picture: {path}")

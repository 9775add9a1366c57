"""`python -m datasets prepare`: a download to the prepared layout."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datasets.cohorts.prepare import prepare as prepare_download
from datasets.commands.common import Data, progress_lines
from datasets.words import count_text

if TYPE_CHECKING:
    from datasets.preparation.cohort import Summary

app = typer.Typer()

INTERRUPTED = 130


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The cohort, such as ixi.")],
    raw: Annotated[Path, typer.Option(help="Folder of its download, as it was unpacked.", file_okay=False)],
    data: Data = Path("data"),
    workers: Annotated[int, typer.Option(min=1, help="Cases prepared at once, each in a process.")] = 1,
    stripper: Annotated[
        str, typer.Option(help="Tool that finds the brain: deepbet, hd-bet, mask or none.")
    ] = "deepbet",
    stripper_command: Annotated[
        str | None, typer.Option(help="A program of your own instead, e.g. 'prog {image} {mask}'.", show_default=False)
    ] = None,
    template: Annotated[
        Path | None,
        typer.Option(
            help="SRI24 T1, skull-stripped; default: UADBENCH_TEMPLATE, or in atlas/ below --data or UADBENCH_DATA."
        ),
    ] = None,
    spacing: Annotated[float, typer.Option(help="Voxel edge of the prepared volumes in mm.")] = 1.0,
    limit: Annotated[int | None, typer.Option(min=1, help="Prepare only this many cases, to try.")] = None,
) -> None:
    """Orient, strip, register to SRI24, resample, correct the bias field and crop every scan of a download.

    Cases already prepared with these options are kept; a case that fails is reported, and the others continue.
    """
    try:
        with progress_lines():
            summary = prepare_download(
                name,
                raw,
                data=data,
                workers=workers,
                stripper=stripper,
                stripper_command=stripper_command,
                template=template,
                spacing=spacing,
                limit=limit,
            )
    except KeyboardInterrupt:
        typer.echo("Interrupted: prepared cases stay. The same command resumes from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _tell(summary)


def _tell(summary: "Summary") -> None:
    """Print what was prepared; exit code 1 if a case failed."""
    typer.echo(f"{count_text(len(summary.records), 'case')} in {summary.home}, {summary.new} of them new.")
    changes = [one.lesion.resampling_percent for one in summary.records if one.lesion is not None]
    if changes:
        mean, most = sum(changes) / len(changes), max(changes, key=abs)
        typer.echo(f"Lesion volume beyond the registration's scaling: mean {mean:+.2f} %, at most {most:+.2f} %.")
    for sheet in summary.sheets:
        typer.echo(f"Look at {sheet}")
    if summary.failures:
        typer.echo(f"{count_text(len(summary.failures), 'case')} could not be prepared:", err=True)
        for one in summary.failures:
            typer.echo(f"  {one.case_id}: {one.reason}", err=True)
        raise typer.Exit(1)

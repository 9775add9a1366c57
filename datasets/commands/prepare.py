"""`python -m datasets prepare`: a download to the prepared layout."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from datasets.cohorts.catalog import dataset
from datasets.commands.common import Data, progress_lines
from datasets.cores import usable_cores
from datasets.errors import BadValue, Missing, MissingData

if TYPE_CHECKING:
    from datasets.case import RawCase, Split
    from datasets.preparation.cohort import Summary
    from datasets.spec import DatasetSpec

app = typer.Typer()

INTERRUPTED = 130


@app.command("prepare")
def prepare(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The cohort, such as ixi.")],
    raw: Annotated[Path, typer.Option(help="Folder of its download, as it was unpacked.", file_okay=False)],
    data: Data = Path("data"),
    workers: Annotated[int, typer.Option(min=1, help="Cases prepared at once, each in a process.")] = 1,
    stripper: Annotated[str, typer.Option(help="What finds the brain: deepbet, hd-bet, mask or none.")] = "deepbet",
    stripper_command: Annotated[
        str | None, typer.Option(help="An own program instead, e.g. 'prog {image} {mask}'.", show_default=False)
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
    from datasets.preparation.cohort import prepare_cohort
    from datasets.preparation.scan import Parameters, Setup
    from datasets.preparation.stripping import Stripper, find_stripper
    from datasets.preparation.template import find_template, load_template

    spec = dataset(name)
    parameters = Parameters(spacing=spacing)
    missing = Missing()
    cases: Sequence[RawCase] = ()
    with missing:
        found, splits = _found(spec, raw, data)
        cases = found[:limit]
    with missing:
        tool = find_stripper(stripper, stripper_command) if any(map(_needs_tool, cases)) else Stripper("none")
    with missing:
        path = find_template(template, data)
    missing.tell()
    threads = max(usable_cores() // workers, 1)
    setup = Setup(load_template(path), tool, parameters, threads)
    typer.echo(f"{len(cases)} cases of {spec.title} in {raw}; {workers} at once, {threads} threads each.")
    try:
        with progress_lines():
            summary = prepare_cohort(spec, cases, splits, setup, spec.folder(data), workers=workers)
    except KeyboardInterrupt:
        typer.echo("Interrupted: prepared cases stay. The same command resumes from there.", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _tell(summary)


def _found(spec: "DatasetSpec", raw: Path, data: Path) -> "tuple[Sequence[RawCase], dict[str, Split]]":
    """The cases of a download, and the split of each subject among all of them."""
    from datasets.splits import split_of, subjects_of

    if spec.raw_cases is None:
        raise BadValue(f"{spec.name}: got a cohort without a reader of its download, expected one with raw_cases.")
    if not raw.is_dir():
        raise MissingData(f"--raw: no folder {raw}. {spec.how_to_get}")
    cohort = spec.raw_cases(raw)
    for problem in cohort.problems:
        typer.echo(f"Download: {problem}", err=True)
    if not cohort.cases:
        raise MissingData(f"{raw}: got no case of {spec.title} that can be prepared. {spec.how_to_get}")
    return cohort.cases, split_of(spec, subjects_of(cohort.cases), kept=_kept_splits(spec.folder(data)))


def _kept_splits(home: Path) -> "dict[str, Split]":
    """The splits of an earlier preparation, so that new subjects do not move old ones."""
    from datasets.io.tables import read_rows

    table = home / "cases.csv"
    if not table.is_file():
        return {}
    _, rows = read_rows(table)
    return {row["subject_id"]: row["split"] for row in rows}  # type: ignore[misc]


def _needs_tool(raw: "RawCase") -> bool:
    return raw.brain_mask is None and not raw.stripped


def _tell(summary: "Summary") -> None:
    """Print what was prepared; exit code 1 if a case failed."""
    typer.echo(f"{len(summary.records)} cases in {summary.home}, {summary.new} of them new.")
    changes = [one.lesion.resampling_percent for one in summary.records if one.lesion is not None]
    if changes:
        mean, most = sum(changes) / len(changes), max(changes, key=abs)
        typer.echo(f"Lesion volume beyond the registration's scaling: mean {mean:+.2f} %, at most {most:+.2f} %.")
    for sheet in summary.sheets:
        typer.echo(f"Look at {sheet}")
    if summary.failures:
        typer.echo(f"{len(summary.failures)} cases failed and are left out:", err=True)
        for one in summary.failures:
            typer.echo(f"  {one.case_id}: {one.reason}", err=True)
        raise typer.Exit(1)

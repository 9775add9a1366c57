"""`python -m datasets`: list, prepare, audit, split and show cohorts, shift scans, write phantoms and implants."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from datasets.cohorts.catalog import dataset, targets
from datasets.commands import audit as cli_audit
from datasets.commands.prepare import app as preparation
from datasets.commands.shifts import app as about_shifts
from datasets.commands.show import app as about_pictures
from datasets.commands.simulate import app as implant
from datasets.commands.splits import splits
from datasets.errors import UserError
from datasets.io.atomic import refuse_read_only
from datasets.simulation.phantom import write_phantom
from datasets.simulation.phantom.cohort import cohort_name
from datasets.simulation.phantom.subject import FAMILIES, PLAIN
from datasets.spec import DatasetSpec

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.command("splits")(splits)

app.command("audit")(cli_audit.audit)
app.add_typer(about_shifts)
app.add_typer(about_pictures)
app.add_typer(implant)
app.add_typer(preparation)

Data = Annotated[
    Path,
    typer.Option(envvar="UADBENCH_DATA", help="Folder of the prepared cohorts.", file_okay=False),
]


@app.callback()
def about() -> None:
    """Brain MRI cohorts: what there is, and the simulated one."""


@app.command("list")
def list_cohorts(as_json: Annotated[bool, typer.Option("--json", help="As a JSON list.")] = False) -> None:
    """List the cohorts that can be named; one that cannot be imported is told on stderr."""
    specs = _readable_specs()
    if as_json:
        typer.echo(json.dumps([_facts(spec) for spec in specs], indent=2))
        return
    for spec in specs:
        facts = _facts(spec)
        sequences = ", ".join(spec.sequences)
        typer.echo(f"{spec.name:14} {spec.title}: {sequences}; {facts['cases']}; {spec.licence}")
    typer.echo("implant[NAME]: lesions of known size and contrast in NAME's healthy test scans; docs/implants.md")


@app.command("phantom")
def phantom(
    data: Data,
    variant: Annotated[str, typer.Option(help=f"Kind of lesions: {', '.join(FAMILIES)}.")] = PLAIN,
    spacing: Annotated[float, typer.Option(help="Voxel edge in mm.")] = 2.0,
    healthy: Annotated[int | None, typer.Option(help="Number of healthy cases; 24 in the plain phantom.")] = None,
    lesion: Annotated[int | None, typer.Option(help="Number of cases with lesions; 8 or 12.")] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other subjects.")] = 0,
    with_healthy: Annotated[
        bool, typer.Option("--with-healthy", help="Also scan lesion cases as if they had no lesion, into healthy/.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing phantom.")] = False,
) -> None:
    """Write the phantom or a variant of it, simulated brains with known lesions, below --data."""
    write = partial(
        write_phantom,
        variant=variant,
        healthy=healthy,
        lesion=lesion,
        spacing=spacing,
        seed=seed,
        with_healthy=with_healthy,
    )
    folder = data / cohort_name(variant)
    if force:
        _replace(folder, write)
    else:
        write(data)
    typer.echo(f"Wrote {len(list((folder / 'brain_mask').iterdir()))} cases to {folder}.")


def _replace(folder: Path, write: Callable[[Path], None]) -> None:
    """The old cohort goes when the new one is complete."""
    refuse_read_only(folder.parent)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
        write(Path(beside))
        if folder.exists():
            rmtree(folder)
        (Path(beside) / folder.name).rename(folder)


def _readable_specs() -> list[DatasetSpec]:
    specs = []
    for name in targets():
        try:
            specs.append(dataset(name))
        except UserError as error:
            typer.echo(str(error), err=True)
    return specs


def _facts(spec: DatasetSpec) -> dict[str, object]:
    cases = {True: "healthy", False: "lesions", None: "healthy and lesions"}[spec.healthy]
    return {
        "name": spec.name,
        "title": spec.title,
        "sequences": list(spec.sequences),
        "cases": cases,
        "healthy": spec.healthy,
        "licence": spec.licence,
    }


def main() -> None:
    """Run the program; a mistake of the user is one line on stderr and exit code 2."""
    try:
        app(prog_name="python -m datasets")
    except UserError as error:
        typer.echo(str(error), err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()

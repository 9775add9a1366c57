"""`python -m datasets`: list the cohorts, write the phantom."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from datasets.catalog import dataset, targets
from datasets.cli_implant import app as implant
from datasets.errors import UserError
from datasets.phantom import PHANTOM, write_phantom
from datasets.spec import DatasetSpec

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(implant)

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
        typer.echo(f"{spec.name:10} {spec.title}: {sequences}; {facts['cases']}; {spec.licence}")
    typer.echo("implant[NAME]: lesions of known size and contrast in NAME's healthy test scans; docs/implants.md")


@app.command("phantom")
def phantom(
    data: Data,
    spacing: Annotated[float, typer.Option(help="Voxel edge in mm.")] = 2.0,
    healthy: Annotated[int, typer.Option(help="Number of healthy cases.")] = 24,
    lesion: Annotated[int, typer.Option(help="Number of cases with lesions.")] = 8,
    seed: Annotated[int, typer.Option(help="Another seed gives other subjects.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing phantom.")] = False,
) -> None:
    """Write the phantom, simulated brains with known lesions, below --data."""
    write = partial(write_phantom, healthy=healthy, lesion=lesion, spacing=spacing, seed=seed)
    if force:
        _replace(data, write)
    else:
        write(data)
    typer.echo(f"Wrote {healthy} healthy and {lesion} lesion cases to {data / PHANTOM.name}.")


def _replace(data: Path, write: Callable[[Path], None]) -> None:
    """The old cohort goes when the new one is complete."""
    folder = data / PHANTOM.name
    data.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=data, prefix=f".{PHANTOM.name}-") as beside:
        write(Path(beside))
        if folder.exists():
            rmtree(folder)
        (Path(beside) / PHANTOM.name).rename(folder)


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

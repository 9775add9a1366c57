"""`python -m datasets phantom` simulates brains; `implant` writes lesions of known truth into real healthy scans."""

from pathlib import Path
from typing import Annotated

import typer

from datasets.cohorts.catalog import dataset
from datasets.commands.common import Data, progress_lines
from datasets.errors import BadValue, MissingData
from datasets.simulation.implants.design import Design
from datasets.simulation.phantom import write_phantom
from datasets.simulation.phantom.cohort import cohort_name
from datasets.simulation.phantom.subject import FAMILIES, PLAIN
from datasets.spec import folder_name
from datasets.words import count_text

app = typer.Typer()
DEFAULT = Design()


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
    with_ignored: Annotated[
        bool, typer.Option("--with-ignored", help="Mark each case's second largest lesion as not to be scored.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing phantom.")] = False,
) -> None:
    """Write the phantom or a variant of it, simulated brains with known lesions, below --data."""
    write_phantom(
        data,
        variant=variant,
        healthy=healthy,
        lesion=lesion,
        spacing=spacing,
        seed=seed,
        with_healthy=with_healthy,
        with_ignored=with_ignored,
        replace=force,
    )
    folder = data / cohort_name(variant)
    typer.echo(f"Wrote {count_text(len(list((folder / 'brain_mask').iterdir())), 'case')} to {folder}.")


def _listed(values: tuple[float, ...]) -> str:
    return ",".join(f"{value:g}" for value in values)


@app.command("implant")
def implant(
    cohort: Annotated[str, typer.Argument(metavar="COHORT", help="Cohort whose healthy test scans are the hosts.")],
    data: Data,
    out: Annotated[
        Path | None,
        typer.Option(help="A folder of your own where --data is read-only; its cohorts are linked into it."),
    ] = None,
    subjects: Annotated[int, typer.Option(help="Most hosts, one scan each; multiples of 8 are balanced.")] = (
        DEFAULT.subjects
    ),
    volumes: Annotated[str, typer.Option(help="Lesion volumes in ml.")] = _listed(DEFAULT.volumes),
    contrasts: Annotated[
        str, typer.Option(help="Contrasts in steps from grey to white matter; negative is dark, e.g. --contrasts=-1,1.")
    ] = _listed(DEFAULT.contrasts),
    shapes: Annotated[
        Path | None,
        typer.Option(help="Lesion masks to take shapes from: a folder of NIfTI files or an .npz of packed bits."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed gives other shapes and places.")] = 0,
) -> None:
    """Write implant[COHORT]: known lesions, and controls, in real healthy test scans."""
    from datasets.simulation.implants.cohort import write_implants
    from datasets.simulation.implants.shapes import read_library

    design = Design(subjects, _numbers("volumes", volumes), _numbers("contrasts", contrasts), seed)
    library = None if shapes is None else read_library(shapes)
    target = out or data
    try:
        with progress_lines():
            folder = write_implants(target, dataset(cohort), data, design=design, library=library)
        linked = _link_cohorts(data, target)
    except (BadValue, MissingData):
        raise
    except OSError as error:
        raise BadValue(
            f"{target / folder_name(f'implant[{cohort}]')} cannot be written: {error.strerror}. "
            "Choose a folder of your own with --out DIR2, and give that as --data from then on."
        ) from error
    typer.echo(f"Wrote implant[{cohort}] to {folder}." + (f" Linked there too: {', '.join(linked)}." if linked else ""))


def _numbers(option: str, text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise BadValue(f"--{option}: got '{text}', expected numbers such as {_listed(DEFAULT.volumes)}.") from error


def _link_cohorts(data: Path, out: Path) -> list[str]:
    """The other cohorts of `data`, so that one --data holds all; what is there already is left alone."""
    if out.resolve() == data.resolve():
        return []
    cohorts = [table.parent for table in sorted(data.glob("*/cases.csv"))]
    new = [cohort for cohort in cohorts if not (out / cohort.name).exists()]
    for cohort in new:
        (out / cohort.name).symlink_to(cohort.resolve(), target_is_directory=True)
    return [cohort.name for cohort in new]

"""`python -m datasets audit`: the defects of cohorts, or of a table of splits."""

from pathlib import Path
from typing import Annotated

import typer

from datasets.commands.common import Data, Preset, preset_grid, progress_lines
from datasets.errors import BadValue, MissingData
from datasets.grid import PUBLISHED, Grid


def audit(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME]...", help="Cohorts, NAME=FOLDER for one of your own; default: all below --data."
        ),
    ] = None,
    data: Data = Path("data"),
    splits: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="A table of splits (and folds); needs no images.")
    ] = None,
    preset: Preset = PUBLISHED,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Read at most this many cases of each split, of healthy ones and others each."),
    ] = None,
) -> None:
    """Report leaks, duplicates, bad files, geometry, masks, drift and what a grid loses. Exit 1 on errors."""
    if splits is not None and names:
        raise BadValue(f"--splits {splits}: got cohorts ({', '.join(names)}) too, expected one of the two.")
    if splits is not None:
        failed = _audit_splits(splits, as_json)
    else:
        failed = _audit_cohorts(names or [], data, preset_grid(preset), limit, as_json)
    if failed:
        raise typer.Exit(1)


def _audit_splits(path: Path, as_json: bool) -> bool:
    from datasets.audit import report as printing
    from datasets.audit.finding import by_severity, errors_of
    from datasets.audit.splits import read_folds

    folds, findings = read_folds(path)
    findings = by_severity(findings)
    if as_json:
        typer.echo(printing.as_json(findings, folds))
    else:
        typer.echo(f"{printing.folds_text(folds)}\n\n{printing.findings_text(findings)}")
    return bool(errors_of(findings))


def _audit_cohorts(names: list[str], data: Path, grid: Grid, limit: int | None, as_json: bool) -> bool:
    from datasets.audit import report as printing
    from datasets.audit.cohorts import audit as audit_cohorts
    from datasets.audit.finding import errors_of
    from datasets.cohorts.catalog import dataset_argument

    specs = [dataset_argument(name) for name in dict.fromkeys(names or _there(data))]
    with progress_lines(err=True):
        findings = audit_cohorts(specs, data, grid, limit=limit)
    typer.echo(printing.as_json(findings) if as_json else printing.findings_text(findings))
    return bool(errors_of(findings))


def _there(data: Path) -> list[str]:
    """The cohorts that lie below a data folder.

    Raises:
        MissingData: none does.
    """
    from datasets.cohorts.catalog import COHORTS

    found = [name for name in COHORTS if (data / name / "cases.csv").exists()]
    if not found:
        raise MissingData(f"No cohort at {data}: looked for <name>/cases.csv for {', '.join(COHORTS)}.")
    return found

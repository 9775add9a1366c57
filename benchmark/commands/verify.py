"""The command `verify`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import RunArgument, user_mistakes_in_one_line

if TYPE_CHECKING:
    from benchmark.verification.checks import Check

app = typer.Typer()


@app.command()
@user_mistakes_in_one_line
def verify(
    folder: RunArgument,
    data: Annotated[Path | None, typer.Option(help="Where the cohorts are now; default: where they were.")] = None,
    maps: Annotated[int, typer.Option(min=0, help="Cases to map again from the weights; 0 for none.")] = 3,
    seed: Annotated[int, typer.Option(help="What those cases are drawn with.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Check a finished run: keys, files, data; make its rows again from the maps, and a few maps from the weights."""
    from benchmark.storage.folder import open_run
    from benchmark.verification.verify import verify_run, write_verification

    run = open_run(folder)
    checks: list[Check] = []
    for check in verify_run(run, data, maps=maps, seed=seed, device=device):
        checks.append(check)
        if not as_json:
            typer.echo("\n".join(check.lines()))
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
    path = write_verification(run, checks)
    if not as_json:
        typer.echo(f"Written down: {path}")
    if not all(check.passed for check in checks):
        raise typer.Exit(1)

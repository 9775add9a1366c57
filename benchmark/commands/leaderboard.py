"""The commands `verify` of a run, and `leaderboard add`, `verify` and `build` of verified runs."""

import json
import secrets
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import RunArgument, user_mistakes_in_one_line
from datasets.errors import MissingData

if TYPE_CHECKING:
    from benchmark.verification.verify import Check

app = typer.Typer()
leaderboard = typer.Typer(help="A static site of finished and verified runs.", no_args_is_help=True)
app.add_typer(leaderboard, name="leaderboard")

Board = Annotated[Path, typer.Argument(metavar="BOARD", help="Folder of the leaderboard.")]


TrustedPlugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="PLUGIN",
        help="FILE.py, FILE.toml or an installed method whose code may be run; without it, only built-in ones are.",
    ),
]


@app.command()
@user_mistakes_in_one_line
def verify(
    folder: RunArgument,
    data: Annotated[Path | None, typer.Option(help="Where the cohorts are now; default: where they were.")] = None,
    maps: Annotated[
        int, typer.Option(min=0, help="Cases to map again from the weights, at least one per fit; 0 for none.")
    ] = 3,
    every: Annotated[bool, typer.Option("--all", help="Map every case again.")] = False,
    seed: Annotated[int, typer.Option(help="Seed for drawing these cases.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    plugins: TrustedPlugins = None,
    as_json: Annotated[bool, typer.Option("--json", help="The checks as JSON.")] = False,
) -> None:
    """Check keys, files and data of a finished run; make rows again from the maps, and some maps from the weights."""
    from benchmark.storage.folder import open_run
    from benchmark.verification.remap import Sample
    from benchmark.verification.verify import verify_run, write_verification

    run = open_run(folder)
    sample = Sample(seed, None if every else maps) if maps or every else None
    checks: list[Check] = []
    for check in verify_run(run, data, sample=sample, device=device, plugins=plugins or ()):
        checks.append(check)
        if not as_json:
            typer.echo("\n".join(check.lines()))
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
    try:
        path = write_verification(run, checks)
        typer.echo(f"Written down: {path}", err=as_json)
    except OSError as error:
        typer.echo(f"Not written down: {error.filename or run.root}: {error.strerror}.", err=True)
    if not all(check.passed for check in checks):
        raise typer.Exit(1)


@leaderboard.command()
@user_mistakes_in_one_line
def add(
    board: Board,
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, with its maps and weights.")],
    name: Annotated[str | None, typer.Option(help="Name of the entry; default: that of the run folder.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the cohorts are here; default: where they were.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Map every case again, not only one of each cell.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    plugins: TrustedPlugins = None,
) -> None:
    """Verify a run and add its tables and data cards, but no maps or weights. The first run creates the board.

    All rows are computed again from the maps, and one map of each cell, of a case drawn at random, from the weights.
    """
    from benchmark.verification.leaderboard.board import add as enter
    from benchmark.verification.leaderboard.release import has_release, read_release
    from benchmark.verification.remap import Sample

    fresh = not has_release(board)
    sample = Sample(secrets.randbelow(2**32), None if every else 1, "cell")
    own = name or folder.resolve().name
    entry = enter(board, folder, own, data, sample=sample, device=device, plugins=plugins or ())
    release, endpoint = read_release(board)
    if fresh:
        decided = ", then ".join(endpoint.labels)
        typer.echo(f"New board, release {endpoint.release}: decided by {decided}, on {'; '.join(release.cohorts)}.")
    found = entry.attestation
    for check in found.checks:
        typer.echo("\n".join(check.lines()))
    typer.echo(f"Added as {found.status}: {entry.folder} ({len(entry.cells)} cells)")


@leaderboard.command(name="verify")
@user_mistakes_in_one_line
def verify_entries(board: Board) -> None:
    """Verify every entry again: digests, keys, version, data manifest, and that no two contradict each other."""
    from benchmark.verification.leaderboard.board import verdicts

    found = list(verdicts(board))
    for one in found:
        typer.echo(f"{'REFUSED' if one.faults else 'ok':<9}{one.entry.name}")
        for fault in one.faults:
            typer.echo(f"         {fault}")
    if any(one.faults for one in found):
        raise typer.Exit(1)


@leaderboard.command()
@user_mistakes_in_one_line
def build(
    board: Board,
    out: Annotated[Path | None, typer.Option(help="Folder of the site; default: BOARD/site.")] = None,
) -> None:
    """Write the static site of all entries that verify; one that does not is named and left out."""
    from benchmark.analysis.summaries.make import summarise
    from benchmark.execution.merge import pool_tables
    from benchmark.verification.leaderboard.board import verdicts
    from benchmark.verification.leaderboard.release import read_release
    from reports.api import LeaderboardResults, write_site

    found = list(verdicts(board))
    for one in found:
        for fault in one.faults:
            typer.echo(f"Left out: {one.entry.name}: {fault}", err=True)
    standing = [one.entry for one in found if not one.faults]
    verified = [entry for entry in standing if entry.is_verified]
    reported = [entry for entry in standing if not entry.is_verified]
    if not standing:
        raise MissingData(
            f"{board}: no entry that verifies. Add one with: python -m benchmark leaderboard add BOARD RUN"
        )
    release, endpoint = read_release(board)
    results = []
    for name, group in (("pool", verified), ("pool-self-reported", reported)):
        if group:
            pool = pool_tables([entry.run for entry in group], board / name)
            summarise(pool, None, endpoint=endpoint)
            results.append(LeaderboardResults(pool, release, endpoint, group))
    typer.echo(f"Site: {write_site(results, out or board / 'site')}")
    if len(standing) < len(found):
        raise typer.Exit(1)

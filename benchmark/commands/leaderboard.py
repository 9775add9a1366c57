"""The commands `verify` of a run, and `leaderboard add`, `verify` and `build` of verified runs."""

import json
import secrets
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmark.commands.common import RunArgument, user_mistakes_in_one_line
from datasets.errors import MissingData, UserError
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.verification.verify import Check

app = typer.Typer()
leaderboard = typer.Typer(help="A static site of finished and verified runs.", no_args_is_help=True)
app.add_typer(leaderboard, name="leaderboard")

POOLS = {"verified": "pool", "attested": "pool-attested", "self-reported": "pool-self-reported"}
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
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A run with its maps and weights, or a signed entry.")],
    name: Annotated[str | None, typer.Option(help="Name of the entry; default: that of the run folder.")] = None,
    data: Annotated[Path | None, typer.Option(help="Where the cohorts are here; default: where they were.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Map every case again, not only one of each cell.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    plugins: TrustedPlugins = None,
) -> None:
    """Verify a run and add its tables and data cards, but no maps or weights. The first run creates the board.

    All rows are computed again from the maps, and one map of each cell, of a case drawn at random, from the weights.
    """
    from benchmark.storage.folder import open_run
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
    status = f"attested by {found.site}" if found.site else found.status
    typer.echo(f"Added as {status}: {entry.folder} ({count_text(len(entry.cells), 'cell')})")
    if found.status == "verified":
        from reports.api import write_entry_pictures

        try:
            write_entry_pictures(open_run(folder), data, board, own)
        except UserError as error:
            typer.echo(f"No pictures: {error}", err=True)


@leaderboard.command()
@user_mistakes_in_one_line
def keygen(
    site: Annotated[str, typer.Argument(metavar="SITE", help="The site's name, as boards will show it.")],
    out: Annotated[Path, typer.Option(help="Folder of the key.")] = Path(),
) -> None:
    """Make a site's key: SITE.key, which stays there, and SITE.pub for the owners of boards."""
    from benchmark.verification.leaderboard.federation import keygen as make

    secret, public = make(site, out)
    typer.echo(f"Secret, to be kept: {secret}\nFor the board's owner: {public}")


@leaderboard.command()
@user_mistakes_in_one_line
def trust(
    board: Board,
    key: Annotated[
        Path | None, typer.Argument(metavar="SITE.pub", help="Of keygen, from somebody whom you know.")
    ] = None,
    revoked: Annotated[
        str | None, typer.Option("--revoke", metavar="SITE", help="Refuse all entries of a site from now on.")
    ] = None,
) -> None:
    """Take entries that a site signs, shown as attested by it; without a key, list the sites."""
    from benchmark.verification.leaderboard import federation

    if key is not None:
        known = federation.trust(board, key)
        typer.echo(f"Entries for this board are signed with: --board {known}")
    if revoked is not None:
        federation.revoke(board, revoked)
    for name, site in federation.trusted(board).sites.items():
        typer.echo(f"{'revoked' if site.revoked else 'trusted':<9}{name}  key {site.key[:16]}")


@leaderboard.command()
@user_mistakes_in_one_line
def sign(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run, with its maps and weights.")],
    key: Annotated[Path, typer.Option(metavar="SITE.key", help="Of keygen.")],
    board: Annotated[str, typer.Option(metavar="ID", help="Of the board it is for, as its owner's `trust` says.")],
    out: Annotated[Path, typer.Option(help="Folder of the entry; must not exist.")],
    data: Annotated[Path | None, typer.Option(help="Where the cohorts are here; default: where they were.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Map every case again, not one of each cell.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    plugins: TrustedPlugins = None,
) -> None:
    """Verify a run where its scans are, and write a signed entry of its numbers, without scans, maps and names."""
    from benchmark.storage.folder import open_run
    from benchmark.verification.leaderboard.federation import sign as sign_entry
    from benchmark.verification.remap import Sample

    sample = Sample(secrets.randbelow(2**32), None if every else 1, "cell")
    made = sign_entry(open_run(folder), data, key, board, out, sample=sample, device=device, plugins=plugins or ())
    for check in made.attestation.checks:
        typer.echo("\n".join(check.lines()))
    typer.echo(f"Signed by {made.site}: {out}. To add it: python -m benchmark leaderboard add BOARD {out}")


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
    from benchmark.analysis.compare_methods import across_cohorts
    from benchmark.analysis.summaries.make import summarise
    from benchmark.execution.merge import pool_tables
    from benchmark.verification.leaderboard.board import verdicts
    from benchmark.verification.leaderboard.entry import STATUSES
    from benchmark.verification.leaderboard.release import read_release
    from reports.api import LeaderboardResults, write_site

    found = list(verdicts(board))
    for one in found:
        for fault in one.faults:
            typer.echo(f"Left out: {one.entry.name}: {fault}", err=True)
    standing = [one.entry for one in found if not one.faults]
    by_status = {status: [one for one in standing if one.attestation.status == status] for status in STATUSES}
    if not standing:
        raise MissingData(
            f"{board}: no entry that verifies. Add one with: python -m benchmark leaderboard add BOARD RUN"
        )
    release, endpoint = read_release(board)
    names = {entry.run.root / "rows.csv": entry.row_names for entry in standing}
    results = []
    for status, group in by_status.items():
        if group:
            pool = pool_tables([entry.run for entry in group], board / POOLS[status], names)
            summarise(pool, None, endpoint=endpoint)
            results.append(LeaderboardResults(pool, release, endpoint, group))
    if attested := by_status["attested"]:
        everywhere = [entry.run for entry in (*by_status["verified"], *attested)]
        across = across_cohorts(pool_tables(everywhere, board / "pool-all", names), endpoint)
        results = [replace(one, across=across) if one.status == "attested" else one for one in results]
    typer.echo(f"Site: {write_site(results, out or board / 'site')}")
    if len(standing) < len(found):
        raise typer.Exit(1)

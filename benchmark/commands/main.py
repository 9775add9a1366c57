"""The command line: `python -m benchmark`, or `uadbench`.

Each command imports what it needs when it is called, so that `--help` and `list` stay quick.
"""

import os
from typing import Annotated

import typer

from benchmark import __version__
from benchmark.commands import analyse, demo, evaluate, leaderboard, manage, methods, predict, replicate, run, speed
from benchmark.commands.common import QUIET, VERBOSE, Commands
from benchmark.inference.cpu import prepare_cpu

FIRST_LINES = """\
python -m benchmark demo                    # minutes: simulate brains, train a network, rank it, write a report
python -m benchmark list methods            # what there is, what each needs, how long it trains
python -m benchmark run --methods thresh,zscore --datasets phantom-ms --preset quick --data data --out first
python -m benchmark plugin new mine         # a method of your own to start from, with its test
python -m datasets audit phantom-ms --data data   # what is wrong with data

All commands: python -m benchmark --help"""

app = typer.Typer(
    cls=Commands, pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]}
)
for group in (demo, methods, run, manage, evaluate, analyse, replicate, predict, speed, leaderboard):
    app.add_typer(group.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"uadbench {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def start(
    context: typer.Context,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and warnings, no progress.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print more progress: every case.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """The benchmark of unsupervised anomaly detection in brain MRI."""
    if quiet:
        os.environ[QUIET] = "1"
    if verbose:
        os.environ[VERBOSE] = "1"
    if context.invoked_subcommand is None:
        typer.echo(FIRST_LINES)


def main() -> None:
    """Entry point of the console script."""
    prepare_cpu()
    app()

"""The command line: `python -m benchmark`, or `uadbench`.

Each command imports what it needs when it is called, so that `--help` and `list` stay quick.
"""

import os
from typing import Annotated

import typer

from benchmark import __version__
from benchmark.commands import analyse, evaluate, leaderboard, manage, methods, predict, run, speed
from benchmark.commands.common import QUIET, Commands
from benchmark.inference.cpu import prepare_cpu

app = typer.Typer(
    cls=Commands,
    help="The benchmark of unsupervised anomaly detection in brain MRI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for group in (methods, run, manage, evaluate, analyse, predict, speed, leaderboard):
    app.add_typer(group.app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"uadbench {__version__}")
        raise typer.Exit


@app.callback()
def options(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print results and warnings, no progress.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Set what holds for every command."""
    if quiet:
        os.environ[QUIET] = "1"


def main() -> None:
    """Entry point of the console script."""
    prepare_cpu()
    app()

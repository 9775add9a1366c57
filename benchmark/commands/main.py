"""The command line: `python -m benchmark`, or `uadbench`.

Each command imports what it needs when it is called, so that `--help` and `list` stay quick.
"""

import typer

from benchmark.commands import analyse, evaluate, leaderboard, manage, methods, predict, replicate, run, speed
from benchmark.inference.cpu import prepare_cpu

app = typer.Typer(
    help="The benchmark of unsupervised anomaly detection in brain MRI.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
for group in (methods, run, manage, evaluate, analyse, replicate, predict, speed, leaderboard):
    app.add_typer(group.app)


def main() -> None:
    """Entry point of the console script."""
    prepare_cpu()
    app()

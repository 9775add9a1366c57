"""The command line: `python -m benchmark`, or `uadbench`.

Each command imports what it needs when it is called, so that `--help` and `list` stay quick.
"""

import typer

from benchmark.commands import analyse, demo, evaluate, leaderboard, manage, methods, predict, replicate, run, speed
from benchmark.inference.cpu import prepare_cpu

FIRST_LINES = """\
python -m benchmark demo                    # minutes: simulate brains, train a network, rank it, write a report
python -m benchmark list methods            # what there is, what each needs, how long it trains
python -m benchmark run --methods thresh,zscore --datasets phantom-ms --preset quick --data data --out first
python -m benchmark plugin new mine         # a method of your own to start from, with its test
python -m datasets audit phantom-ms --data data   # what is wrong with data

All commands: python -m benchmark --help"""

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
for group in (demo, methods, run, manage, evaluate, analyse, replicate, predict, speed, leaderboard):
    app.add_typer(group.app)


@app.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    """The benchmark of unsupervised anomaly detection in brain MRI."""
    if context.invoked_subcommand is None:
        typer.echo(FIRST_LINES)


def main() -> None:
    """Entry point of the console script."""
    prepare_cpu()
    app()

"""What the commands share: options, and how a user's mistake is told."""

import os
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from benchmark.methods.termination import EXIT_CODE, Terminated, termination_is_an_exception
from benchmark.storage.storage_errors import storage_trouble
from datasets.errors import UnknownName, UserError

P = ParamSpec("P")

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, the --out of an earlier run.")]
AsJson = Annotated[bool, typer.Option("--json", help="A list of JSON objects instead of text.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="FILE", help="FILE.py, whose detectors are methods, or FILE.toml, of a program; repeatable."
    ),
]


def user_mistakes_in_one_line(command: Callable[P, None]) -> Callable[P, None]:
    """Exit code 2 and the message alone where the user can mend it; a traceback where only we can."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with termination_is_an_exception():
                command(*args, **kwargs)
        except Terminated:
            typer.echo("Ended by SIGTERM: what is done is kept, and the same command goes on with the rest.", err=True)
            raise typer.Exit(EXIT_CODE) from None
        except UserError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from None
        except OSError as error:
            if error.filename is None and not storage_trouble(error):
                raise
            typer.echo(f"Error: {error.filename or 'writing'}: {error.strerror}.", err=True)
            raise typer.Exit(2) from None

    return guarded


def say(line: str) -> None:
    """A line to whoever reads; where nobody reads on, as after `| head`, the work goes on unsaid."""
    try:
        typer.echo(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def warn_of_shadowed() -> None:
    """A line on stderr for each installed method that is refused, since a built-in one has its name."""
    from benchmark.methods.built_in import shadowed

    for line in shadowed():
        typer.echo(f"Warning: {line}", err=True)


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise UnknownName(kind, name, known)

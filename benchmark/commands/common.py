"""What the commands share: arguments, options made of a dataclass, lines of progress, mistakes in one line."""

import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter, Signature
from pathlib import Path
from shutil import get_terminal_size
from textwrap import fill
from typing import Annotated, Any, ParamSpec, get_args, get_type_hints

import typer
from rich.markup import escape
from typer.core import TyperGroup

from benchmark.methods.termination import Terminated, termination_is_an_exception
from benchmark.storage.storage_errors import storage_problem
from datasets.commands.common import painted, print_mistake
from datasets.errors import UserError

P = ParamSpec("P")
OURS = "benchmark"  # logger of all that a command line shows as progress
PAGE = 100  # letters of a line in a file or a pipe
QUIET = "UADBENCH_QUIET"
"""Variable of the environment that, set to anything, keeps progress unsaid; worker processes inherit it."""
VERBOSE = "UADBENCH_VERBOSE"
"""Likewise, that has every case and every step said."""


def _runs(incomplete: str) -> list[str]:
    """Run folders, to complete the beginning of one's path in a shell."""
    found = [*Path().glob(f"{incomplete}*/study.json"), *Path("runs").glob("*/study.json")]
    return [path for path in dict.fromkeys(str(one.parent) for one in found) if path.startswith(incomplete)]


def text_width() -> int:
    """Of tables and paragraphs: the terminal's, from 60 to 160; where nobody looks on, that of a page."""
    return min(max(get_terminal_size().columns, 60), 160) if sys.stdout.isatty() else PAGE


def bold(text: str) -> str:
    """Of what a reader shall see first on stdout."""
    return painted(text, sys.stdout, bold=True)


RunArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="A run folder, the --out of an earlier run.", autocompletion=_runs),
]
AsJson = Annotated[bool, typer.Option("--json", help="A list of JSON objects instead of text.")]


def takes_options_of(options: type[Any], **further: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A command whose options are the fields of a dataclass that are annotated as options, and `further` ones.

    The command is called with two mappings: what the user gave of the dataclass, and of the further ones.

    Args:
        further: by name an annotated type; each is None where it is not given.
    """
    hints = get_type_hints(options, include_extras=True)
    own = {
        one.name: _parameter(one.name, hints[one.name], one.default)
        for one in fields(options)
        if hasattr(hints[one.name], "__metadata__")
    }
    parameters = own | {name: _parameter(name, hint, None) for name, hint in further.items()}

    def decorated(command: Callable[..., None]) -> Callable[..., None]:
        @wraps(command)
        def called(**values: Any) -> None:
            given = {name: value for name, value in values.items() if value not in (None, False, [])}
            command({name: given[name] for name in own if name in given}, {name: given.get(name) for name in further})

        called.__annotations__ = {name: one.annotation for name, one in parameters.items()}
        called.__signature__ = Signature(list(parameters.values()))  # type: ignore[attr-defined]
        del called.__wrapped__
        return called

    return decorated


def _parameter(name: str, hint: Any, default: object) -> Parameter:
    """An option that is None, or False for a flag, unless it is given; its help shows the default."""
    kind, option = get_args(hint)
    if kind is bool:
        return Parameter(name, Parameter.KEYWORD_ONLY, default=False, annotation=hint)
    shown = copy(option)
    shown.show_default = False
    if default not in (MISSING, None, ""):
        shown.help = f"{option.help.rstrip('.')}; default: {default}."
    return Parameter(name, Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, shown])


class Commands(TyperGroup):
    """Commands whose help shows square brackets as they are written, and flags without a value."""

    def get_params(self, ctx: Any) -> Any:
        """The options of the program itself, likewise."""
        found = super().get_params(ctx)
        for parameter in found:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = " "
        return found

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, its help made ready to be printed; None without any."""
        command: Any = super().get_command(ctx, cmd_name)
        if command is not None and not getattr(command, "is_ready", False):
            command.help = escape(command.help or "")
            for parameter in command.get_params(ctx):
                parameter.help = escape(getattr(parameter, "help", None) or "")
                if getattr(parameter, "is_flag", False):
                    parameter.metavar = " "
            command.is_ready = True
        return command


def user_mistakes_in_one_line(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors that the user can mend into one line and exit code 2; let others raise a traceback."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with termination_is_an_exception():
                command(*args, **kwargs)
        except Terminated as end:
            name = end.signal.name
            typer.echo(f"Ended by {name}: what is done is kept, and the same command resumes with the rest.", err=True)
            raise typer.Exit(128 + end.signal) from None
        except UserError as error:
            print_mistake(error)
            raise typer.Exit(2) from None
        except OSError as error:
            if error.filename is None and not storage_problem(error):
                raise
            print_mistake(f"{error.filename or 'writing'}: {error.strerror}.")
            raise typer.Exit(2) from None

    return guarded


@contextmanager
def progress_lines(prefix: str = "", *, err: bool = False) -> Iterator[None]:
    """Print what the benchmark logs of its progress, a line each; warnings go to stderr.

    Args:
        prefix: what each line of progress begins with.
        err: print progress to stderr, too.
    """
    terminal, root, ours = _Terminal(prefix, err=err), logging.getLogger(), logging.getLogger(OURS)
    level = ours.level
    root.addHandler(terminal)
    told = logging.DEBUG if os.environ.get(VERBOSE) else logging.INFO
    ours.setLevel(logging.WARNING if os.environ.get(QUIET) else told)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(terminal)


class _Terminal(logging.Handler):
    def __init__(self, prefix: str, *, err: bool) -> None:
        super().__init__()
        self.prefix = prefix
        self.err = err
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        if record.name.partition(".")[0] == OURS and record.levelno != logging.WARNING:
            line, stream = self.prefix + record.getMessage(), sys.stderr if self.err else sys.stdout
            if stream.isatty() and "\n" not in line:
                line = fill(
                    line, text_width(), break_long_words=False, break_on_hyphens=False, subsequent_indent="    "
                )
            print_line(painted(line, stream, fg="red") if record.levelno > logging.WARNING else line, err=self.err)
        elif record.levelno >= logging.WARNING:
            print_line(painted(self.format(record), sys.stderr, fg="yellow"), err=True)


def print_line(line: str, *, err: bool = False) -> None:
    """Print a line; ignore a closed pipe."""
    try:
        typer.echo(line, err=err)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), (sys.stderr if err else sys.stdout).fileno())


def warn_of_shadowed() -> None:
    """Print a line on stderr for each installed method that is refused because a built-in method has its name."""
    from benchmark.methods.registry import refused_plugins

    for line in refused_plugins():
        typer.echo(f"Warning: {line}", err=True)

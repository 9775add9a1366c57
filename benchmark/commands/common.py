"""What the commands share: options, lines of progress, mistakes of the user in one line, and the job of a study."""

import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ParamSpec

import typer

from benchmark.methods.termination import Terminated, termination_is_an_exception
from benchmark.storage.storage_errors import storage_problem
from datasets.errors import UnknownName, UserError

if TYPE_CHECKING:
    from benchmark.execution.job import Job
    from benchmark.execution.resources import Execution
    from benchmark.storage.admission import Admission
    from benchmark.storage.folder import RunFolder
    from benchmark.storage.run_record import Scoring
    from benchmark.study.study import Study

P = ParamSpec("P")
OURS = "benchmark"  # logger of all that a command line shows as progress

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, the --out of an earlier run.")]
AsJson = Annotated[bool, typer.Option("--json", help="A list of JSON objects instead of text.")]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin", metavar="FILE", help="FILE.py, whose detectors are methods, or FILE.toml, of a program; repeatable."
    ),
]

Threads = Annotated[
    int | None, typer.Option(min=1, help="Of each process on the CPU; default: as many as cores, for any --workers.")
]
MemoryLimit = Annotated[float | None, typer.Option(min=0.1, help="GiB of main memory that each process may hold.")]


def user_mistakes_in_one_line(command: Callable[P, None]) -> Callable[P, None]:
    """Turn errors that the user can mend into one line and exit code 2; let others raise a traceback."""

    @wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            with termination_is_an_exception():
                command(*args, **kwargs)
        except Terminated as end:
            name = end.signal.name
            typer.echo(f"Ended by {name}: what is done is kept, and the same command goes on with the rest.", err=True)
            raise typer.Exit(128 + end.signal) from None
        except UserError as error:
            typer.echo(f"Error: {error}", err=True)
            raise typer.Exit(2) from None
        except OSError as error:
            if error.filename is None and not storage_problem(error):
                raise
            typer.echo(f"Error: {error.filename or 'writing'}: {error.strerror}.", err=True)
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
    ours.setLevel(logging.INFO)
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
            print_line(self.prefix + record.getMessage(), err=self.err)
        elif record.levelno >= logging.WARNING:
            print_line(self.format(record), err=True)


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


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    if name not in known:
        raise UnknownName(kind, name, known)


def job_on(
    study: "Study",
    run: "RunFolder",
    data: Path,
    scoring: "Scoring",
    how: "Execution",
    rerun: str,
    admission: "Admission | None" = None,
    pictures: "Sequence[str] | None" = None,
) -> "Job":
    """A job on the device of this process; on the CPU if SLURM computes it elsewhere."""
    from benchmark.execution.job import Job
    from benchmark.inference.settings import Inference, can_compile, pick_device

    device = pick_device("cpu" if how.executor == "slurm" else how.device)
    compiled = how.compiled and how.executor == "inline" and can_compile(device)
    inference = Inference(device, slice_batch=how.slice_batch, compiled=compiled)
    return Job(study, run, data, inference, scoring, rerun, admission, pictures)  # type: ignore[arg-type]

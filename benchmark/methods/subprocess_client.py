"""Program: a process of another interpreter that answers requests over its standard streams, one line each way."""

import os
import subprocess
import threading
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from datasets.words import count_text

READY, DONE = "ready", "done"
VERSION, SERVE = "version", "serve"  # its last argument
START_SECONDS = 120.0
TAIL = 5  # last lines of its stderr that errors show
# Variables of this interpreter, in which another one would look for its modules.
OWN_VARIABLES = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "PYTHONSTARTUP")


class Program:
    """A program that prints `ready` once, then reads paths of manifests and prints `done` after each.

    It ends when its input ends.

    Raises:
        ValueError: it ends, or is not ready within two minutes.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.name = " ".join(command)
        self.errors = TemporaryFile()  # noqa: SIM115
        try:
            self.process = subprocess.Popen(
                [*_resolved(command, folder), SERVE],
                cwd=folder,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.errors,
                text=True,
            )
        except OSError as error:
            raise ValueError(f"{self.name}: {error.strerror}.") from error
        weakref.finalize(self, _end, self.process, self.errors)
        self._wait_for(READY, START_SECONDS)

    def alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, manifest: Path, seconds: float | None) -> None:
        """Send a manifest and wait until it is done.

        Raises:
            ValueError: the program ends before, or takes longer than `seconds`.
        """
        assert self.process.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which is reported below
            self.process.stdin.write(f"{manifest}\n")
            self.process.stdin.flush()
        self._wait_for(DONE, seconds)

    def _wait_for(self, word: str, seconds: float | None) -> None:
        """Read lines up to `word`; other lines are the program's own and are skipped."""
        assert self.process.stdout is not None
        late = threading.Event()
        timer = threading.Timer(seconds, self._stop, [late]) if seconds is not None else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            if any(line.strip() == word for line in self.process.stdout):
                return
        finally:
            if timer is not None:
                timer.cancel()
        code = self.process.wait()
        reason = f"took longer than {seconds:g} s and was ended" if late.is_set() else f"ended with {code}"
        raise ValueError(f"{self.name} {reason} before it said '{word}'. {self._last_words()}")

    def _stop(self, late: threading.Event) -> None:
        late.set()
        self.process.kill()

    def _last_words(self) -> str:
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return "It wrote: " + " / ".join(lines[-TAIL:]) if lines else "It wrote nothing."


def program_version(command: Sequence[str], folder: Path) -> str:
    """The line that a program prints when called with `version`.

    Raises:
        OSError, ValueError: it cannot be called, or does not print one line.
    """
    try:
        done = subprocess.run(
            [*_resolved(command, folder), VERSION],
            cwd=folder,
            env=_environment(),
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"{' '.join(command)} version: no answer in {START_SECONDS:g} s.") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or len(lines) != 1:
        stderr = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        raise ValueError(
            f"{' '.join(command)} version: got exit code {done.returncode} and {count_text(len(lines), 'line')} "
            f"({stderr}), expected one line that names all that its numbers depend on."
        )
    return lines[0]


def _resolved(command: Sequence[str], folder: Path) -> list[str]:
    """The command, with a relative path of the program taken from the folder."""
    first = Path(command[0]).expanduser()
    return [str(folder / first) if len(first.parts) > 1 else command[0], *command[1:]]


def _environment() -> Mapping[str, str]:
    return {name: value for name, value in os.environ.items() if name not in OWN_VARIABLES}


def _end(process: "subprocess.Popen[str]", errors: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, errors):
        if stream is not None:
            with suppress(OSError):
                stream.close()

"""Apart: a process for the code of a plugin, which runs there and nowhere else, watched, and heard in JSON alone.

What a plugin does to its process, from patched functions to threads and signal handlers, ends with that process.
"""

import ctypes
import json
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.util import Finalize
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

from benchmark.methods.termination import Terminated, termination_is_an_exception

PRELOAD = ["benchmark.execution.worker"]  # what most of these processes need, imported once by their server
PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_SECONDS = 0.2
SECONDS_TO_END = 5.0  # from its last word on
GRACE_SECONDS = 120.0  # for a fit to save its state after SIGTERM
PATIENCE = 10  # times the median of the seconds between two lines of its log
MOST_BYTES = 2**24  # of one answer
SHARE_OF_MEMORY = 0.95

log = logging.getLogger(__name__)


class Ended(Exception):
    """The process of a plugin ended, or was ended, before it had answered."""


class Apart:
    """An object in a process of its own.

    The process is forked from a server that has imported this project and nothing of a plugin. It starts with the
    environment and the import path of this one, ends with it, and is killed with all that it has started.

    Args:
        make: importable function that returns the object, called there.
        arguments: of `make`, pickled on the way there; nothing is unpickled on the way back.
    """

    def __init__(self, make: Callable[..., object], *arguments: Any) -> None:
        context = get_context("forkserver")
        context.set_forkserver_preload(PRELOAD)
        self._here, there = context.Pipe()
        limit = resource.getrlimit(resource.RLIMIT_DATA)
        self._process = context.Process(target=_serve, args=(there, make, arguments, dict(os.environ), limit))
        with _nothing_to_import_again():
            self._process.start()
        there.close()
        pid = self._process.pid
        assert pid is not None
        self._group = pid
        self._most = limit[0] if limit[0] != resource.RLIM_INFINITY else int(SHARE_OF_MEMORY * _memory_of_machine())
        self._close = Finalize(self, _kill, args=(pid,), exitpriority=10)  # before multiprocessing waits for it

    def ask(self, name: str, *arguments: Any, quiet_seconds: float | None = None) -> Any:
        """What the object's method `name` returns, of JSON's kinds.

        Args:
            quiet_seconds: without a line of its log after which it is ended, if that is more than `PATIENCE` times the
                median between two lines; None for no limit.

        Raises:
            Ended: the process has ended, or was, for its memory or for having been quiet; it takes no further question.
        """
        try:
            self._here.send((name, arguments))
            return self._answer(quiet_seconds)
        except (Terminated, KeyboardInterrupt):
            self._end_gently()
            raise
        except (EOFError, OSError) as error:
            raise self._ended(self._last_words()) from error

    def close(self) -> None:
        """Kill the process and all that it has started."""
        self._close()
        self._process.join()
        self._here.close()

    def _answer(self, quiet_seconds: float | None) -> Any:
        heard, gaps, looked = time.monotonic(), list[float](), 0.0
        while True:
            now = time.monotonic()
            if now - looked > POLL_SECONDS:
                looked = now
                self._check_memory()
            if not self._here.poll(POLL_SECONDS):
                most = None if quiet_seconds is None else max(quiet_seconds, PATIENCE * median(gaps or [0.0]))
                if most is not None and now - heard > most:
                    raise self._ended(f"Nothing was heard of its process for {now - heard:.0f} s; it was killed.")
                continue
            message = self._message()
            if "answer" in message:
                return message["answer"]
            gaps.append(now - heard)
            heard = now
            _relay(message)

    def _message(self) -> Mapping[str, Any]:
        """What the process has sent; whatever a plugin sends in its place ends it."""
        try:
            found = json.loads(self._here.recv_bytes(MOST_BYTES))
        except (ValueError, RecursionError) as error:
            raise self._ended("Its process sent what is no answer; it was killed.") from error
        if not isinstance(found, dict):
            raise self._ended("Its process sent what is no answer; it was killed.")
        return found

    def _check_memory(self) -> None:
        held = sum(_resident_bytes(self._group))
        if held > self._most:
            raise self._ended(f"Its process held {held / 2**30:.1f} GiB of memory; it was killed.")

    def _last_words(self) -> str:
        self._process.join(SECONDS_TO_END)
        code = self._process.exitcode
        if code is None:
            return "Its process does not answer any more; it was killed."
        return f"Its process ended with {f'signal {-code}' if code < 0 else f'exit code {code}'} and no word."

    def _ended(self, reason: str) -> Ended:
        self.close()
        return Ended(reason)

    def _end_gently(self) -> None:
        """Let a fit save its state; see `postponed_termination`."""
        with suppress(ProcessLookupError):
            os.kill(self._group, signal.SIGTERM)
        self._process.join(GRACE_SECONDS)
        self.close()


def _serve(
    pipe: "Connection[Any, Any]",
    make: Callable[..., object],
    arguments: Sequence[Any],
    environment: Mapping[str, str],
    limit: tuple[int, int],
) -> None:
    """In the new process: make the object, and answer until nobody asks any more."""
    os.setsid()
    _end_with_parent()
    os.dup2(2, 1)  # what a plugin prints is no output of the command
    os.environ.clear()
    os.environ.update(environment)
    resource.setrlimit(resource.RLIMIT_DATA, limit)
    logging.getLogger().addHandler(_ToParent(pipe))
    logging.getLogger("benchmark").setLevel(logging.DEBUG)
    me = os.getpid()
    with suppress(EOFError, Terminated), termination_is_an_exception():
        asked = make(*arguments)
        while True:
            name, given = pipe.recv()
            answer = json.dumps({"answer": getattr(asked, name)(*given)}).encode()
            if os.getpid() != me:  # a copy of this process that a plugin has made
                os._exit(0)
            pipe.send_bytes(answer)


class _ToParent(logging.Handler):
    """Sends each line to the process that asks."""

    def __init__(self, pipe: "Connection[Any, Any]") -> None:
        super().__init__()
        self.pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        told = {"logger": record.name, "level": record.levelno, "text": record.getMessage()}
        self.pipe.send_bytes(json.dumps(told).encode())


def _relay(message: Mapping[str, Any]) -> None:
    """Log a line of the process as one of this."""
    name, level, text = (message.get(key) for key in ("logger", "level", "text"))
    if isinstance(name, str) and isinstance(level, int):
        logging.getLogger(name).log(level, "%s", text)


@contextmanager
def _nothing_to_import_again() -> Iterator[None]:
    """A new process imports the module of the script that started this one, whose guard may be missing: hide it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _end_with_parent() -> None:
    """Have the system kill this process when the server does not live any more, which ends with what started it."""
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
    with suppress(ProcessLookupError, PermissionError):
        os.kill(group, signal.SIGKILL)  # before it has made the group


def _memory_of_machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _resident_bytes(session: int) -> Iterator[int]:
    """Of each process of a session, where the system tells it."""
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError):
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == session:
                yield int(fields[21]) * os.sysconf("SC_PAGE_SIZE")

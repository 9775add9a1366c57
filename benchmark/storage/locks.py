"""Locks by which processes share a run folder; the system releases them when their owner dies.

They avoid duplicate work and keep tables in order. Files stay whole without them: each is written beside and renamed.
"""

import errno
import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from benchmark.storage.folder import RunFolder
from datasets.errors import BadValue

FOLDER, SUFFIX = ".locks", ".lock"
NOT_SUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock, or held it last.

    Attributes:
        since: seconds since 1970 by the clock of that machine; for display, never compared.
    """

    host: str
    pid: int
    since: float


@contextmanager
def try_lock(run: RunFolder, name: str) -> Iterator[bool]:
    """Take a lock for the block if it is free; yields whether it was.

    Raises:
        BadValue: the file system of the run has no locks.
    """
    with _open(run, name) as stream:
        free = _flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _signed(stream) if free else nullcontext():
            yield free


@contextmanager
def lock(run: RunFolder, name: str) -> Iterator[None]:
    """Take a lock for the block, waiting until it is free."""
    with _open(run, name) as stream:
        _flock(stream, fcntl.LOCK_EX)
        with _signed(stream):
            yield


def owner(run: RunFolder, name: str) -> Owner | None:
    """The process that holds a lock now; None if it is free, or another user's that this one may not read."""
    path = _path(run, name)
    if not os.access(path, os.R_OK):
        return None
    with path.open(encoding="utf-8") as stream:
        if _flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return None
        return _owner_in(stream.read()) or Owner("unknown", 0, 0.0)


def last_owner(run: RunFolder, name: str) -> Owner | None:
    """The process that holds a lock, or died holding it; None if the lock was released."""
    path = _path(run, name)
    return _owner_in(path.read_text(encoding="utf-8")) if os.access(path, os.R_OK) else None


def owners(run: RunFolder) -> dict[str, Owner]:
    """The owner of each lock that is held now, by name; whoever holds one has signed its file."""
    folder = run.root / FOLDER
    with os.scandir(folder) if folder.is_dir() else nullcontext(()) as files:
        signed = sorted(one.name for one in files if one.name.endswith(SUFFIX) and one.stat().st_size)
    found = {name: owner(run, name) for name in (one.removesuffix(SUFFIX) for one in signed)}
    return {name: one for name, one in found.items() if one is not None}


@contextmanager
def _open(run: RunFolder, name: str) -> Iterator[TextIO]:
    """The file of a lock; it is never deleted, since a process that waits may have it open."""
    path = _path(run, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        yield stream


def _path(run: RunFolder, name: str) -> Path:
    return run.root / FOLDER / f"{name}{SUFFIX}"


def _flock(stream: TextIO, how: int) -> bool:
    try:
        fcntl.flock(stream, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        raise BadValue(
            f"{stream.name}: got a file system without locks ({error.strerror}), expected one that has them; "
            "see docs/grid.md for what to do on a network's."
        ) from error
    return True


@contextmanager
def _signed(stream: TextIO) -> Iterator[None]:
    """Write this process into the lock file; the entry remains after the block only if the process is killed."""
    stream.truncate(0)
    json.dump(asdict(Owner(socket.gethostname(), os.getpid(), time.time())), stream)
    stream.flush()
    try:
        yield
    finally:
        stream.truncate(0)


def _owner_in(text: str) -> Owner | None:
    try:
        return Owner(**json.loads(text))
    except (ValueError, TypeError):
        return None

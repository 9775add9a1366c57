"""Locks that processes on one run folder take turns by; the system lets go of them when their owner dies.

They save work and keep tables in order. No file is torn without them: each is written beside and renamed.
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

FOLDER = ".locks"
NOT_SUPPORTED = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


@dataclass(frozen=True)
class Owner:
    """The process that holds a lock, or held it last.

    Attributes:
        since: seconds since 1970, by that machine's clock; to be shown, never compared.
    """

    host: str
    pid: int
    since: float


@contextmanager
def try_lock(run: RunFolder, name: str) -> Iterator[bool]:
    """Whether the lock was free; if so it is held within the block.

    Raises:
        BadValue: the run's file system has no locks.
    """
    with _opened(run, name) as stream:
        free = _locked(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with _signed_by_us(stream) if free else nullcontext():
            yield free


@contextmanager
def lock(run: RunFolder, name: str) -> Iterator[None]:
    """The lock, once whoever holds it has let go."""
    with _opened(run, name) as stream:
        _locked(stream, fcntl.LOCK_EX)
        with _signed_by_us(stream):
            yield


def owner(run: RunFolder, name: str) -> Owner | None:
    """Who holds a lock now; None where nobody does."""
    path = _path(run, name)
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as stream:
        if _locked(stream, fcntl.LOCK_SH | fcntl.LOCK_NB):
            return None
        return _owner_in(stream.read()) or Owner("unknown", 0, 0.0)


def last_owner(run: RunFolder, name: str) -> Owner | None:
    """Who holds a lock or has died holding it; None where it was let go."""
    path = _path(run, name)
    return _owner_in(path.read_text(encoding="utf-8")) if path.exists() else None


def owners(run: RunFolder) -> dict[str, Owner]:
    """Every lock that is held now."""
    names = [path.stem for path in sorted((run.root / FOLDER).glob("*.lock"))]
    found = {name: owner(run, name) for name in names}
    return {name: one for name, one in found.items() if one is not None}


@contextmanager
def _opened(run: RunFolder, name: str) -> Iterator[TextIO]:
    """The file of a lock; it stays when the lock is let go, since one that waits may have it open."""
    path = _path(run, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as stream:
        yield stream


def _path(run: RunFolder, name: str) -> Path:
    return run.root / FOLDER / f"{name}.lock"


def _locked(stream: TextIO, how: int) -> bool:
    try:
        fcntl.flock(stream, how)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        raise BadValue(
            f"{stream.name}: got a file system without locks ({error.strerror}), wanted one that has them; "
            "see docs/grid.md for what to do on a network's."
        ) from error
    return True


@contextmanager
def _signed_by_us(stream: TextIO) -> Iterator[None]:
    """Our name is in the lock meanwhile, and stays in it only if we are killed."""
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

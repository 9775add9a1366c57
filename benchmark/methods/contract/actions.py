"""Actions: what code does to files and to the network while it is watched, as Python's audit events tell it."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CACHES = ("matplotlib", "numba_cache", "fontconfig")  # folders of libraries, which change no map
CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod")
NAMES = ("socket.getaddrinfo", "socket.gethostbyname")
SOCKETS = ("socket.connect", "socket.bind", "socket.sendto")
COMPILED = (".pyc", ".pyo")  # what an import leaves


@dataclass
class Actions:
    """What was done; compiled libraries, and programs that were started, may have done more.

    Attributes:
        written: files and folders that were made, changed or deleted.
        read: files that were opened.
        reached: what was asked of the network.
    """

    written: dict[Path, None] = field(default_factory=dict)
    read: dict[Path, None] = field(default_factory=dict)
    reached: dict[str, None] = field(default_factory=dict)

    def written_outside(self, *folders: Path) -> list[Path]:
        """What was written neither there, nor among temporary files, nor by an import or as a library's cache."""
        allowed = [folder.resolve() for folder in (*folders, Path(tempfile.gettempdir()), Path("/dev"), Path("/proc"))]
        return [
            path
            for path in self.written
            if path.suffix not in COMPILED
            and path.name != "__pycache__"
            and not set(CACHES) & set(path.parts)
            and not any(path.is_relative_to(folder) for folder in allowed)
        ]


@contextmanager
def watched(actions: Actions) -> Iterator[None]:
    """Within the block, note down what this process does."""
    _listen()
    _WATCHING.append(actions)
    try:
        yield
    finally:
        _WATCHING.remove(actions)


_WATCHING: list[Actions] = []


@cache
def _listen() -> None:
    """Once a process, since an audit hook stays."""
    sys.addaudithook(_note)


def _note(event: str, given: tuple[object, ...]) -> None:
    for actions in _WATCHING:
        if event == "open":
            path, _, flags = given
            if place := _place(path):
                kept = actions.written if isinstance(flags, int) and flags & WRITING else actions.read
                kept[place] = None
        elif event in CHANGES:
            actions.written |= {place: None for one in given[:2] if (place := _place(one))}
        elif event in NAMES:
            actions.reached[f"the address of {given[0]}"] = None
        elif event in SOCKETS and isinstance(given[1], tuple):  # others are between processes of this machine
            actions.reached[f"a socket to {given[1][0]}"] = None


def _place(path: object) -> Path | None:
    """Where a path leads; None for a descriptor."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    return Path(os.path.realpath(os.fsdecode(path)))

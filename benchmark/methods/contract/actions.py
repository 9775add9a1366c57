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
CACHES = ("__pycache__", "matplotlib", "numba_cache", "fontconfig")  # of imports and libraries; no map depends on them
CHANGES = {  # event: where its arguments hold a path, and the descriptor of the folder which that is relative to
    "os.mkdir": ((0, 2),),
    "os.rename": ((0, 2), (1, 3)),
    "os.remove": ((0, 1),),
    "os.rmdir": ((0, 1),),
    "os.link": ((1, 3),),
    "os.symlink": ((1, 2),),
    "os.truncate": ((0, None),),
    "os.chmod": ((0, 2),),
}
LISTS = ("os.listdir", "os.scandir")
NAMES = ("socket.getaddrinfo", "socket.gethostbyname")
SOCKETS = ("socket.connect", "socket.bind", "socket.sendto")


@dataclass
class Actions:
    """What was done; compiled libraries, and programs that were started, may have done more.

    Attributes:
        written: files and folders that were made, changed or deleted.
        read: files that were opened, whether they exist or not.
        listed: folders whose content was asked for.
        reached: what was asked of the network.
    """

    written: dict[Path, None] = field(default_factory=dict)
    read: dict[Path, None] = field(default_factory=dict)
    listed: dict[Path, None] = field(default_factory=dict)
    reached: dict[str, None] = field(default_factory=dict)

    def written_outside(self, *folders: Path) -> list[Path]:
        """What was written neither there, nor among temporary files, nor by an import or as a library's cache."""
        allowed = [folder.resolve() for folder in (*folders, Path(tempfile.gettempdir()), Path("/dev"), Path("/proc"))]
        return [
            path
            for path in self.written
            if not set(CACHES) & set(path.parts) and not any(path.is_relative_to(folder) for folder in allowed)
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
        elif event in LISTS:
            if place := _place(given[0]):
                actions.listed[place] = None
        elif event in CHANGES:
            for path, folder in CHANGES[event]:
                if place := _place(given[path], -1 if folder is None else given[folder]):
                    actions.written[place] = None
        elif event in NAMES:
            actions.reached[f"the address of {given[0]}"] = None
        elif event in SOCKETS and isinstance(given[1], tuple):  # others are between processes of this machine
            actions.reached[f"a socket to {given[1][0]}"] = None


def _place(path: object, folder: object = -1) -> Path | None:
    """Where a path leads, relative to the folder of a descriptor unless that is -1; None for a descriptor."""
    if not isinstance(path, (str, bytes, os.PathLike)):
        return None
    base = Path() if folder == -1 else Path(f"/proc/self/fd/{folder}")
    return Path(os.path.realpath(base / os.fsdecode(path)))

"""Files on disk: why one cannot be read, its SHA-256, and whether it has changed since."""

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import MissingData

CHUNK = 2**16  # bytes; most files are smaller, and a larger buffer would take longer to make than to fill
SETTLED_NS = 10**9  # a file that changed less than a second ago may change again within one tick of its clock


def check_file(path: Path) -> None:
    """Refuse a path that cannot be opened as a file.

    Raises:
        MissingData: it is absent, a folder, a broken link or not readable for this user; the message says which.
    """
    why = why_no_file(path)
    if why is not None:
        raise MissingData(f"No file {path}{f': {why}' if why else ''}.")


def why_no_file(path: Path) -> str | None:
    """Why a path cannot be opened as a file: None if it can, "" if nothing is there, else what is there instead."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return f"it is a link to {path.readlink()}, which is not there" if path.is_symlink() else _beside(path)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return "it is a link that leads back to itself"
        return f"it cannot be reached ({error.strerror})"
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if not stat.S_ISREG(mode):
        return f"it is no regular file (mode {mode:o})"
    return None if os.access(path, os.R_OK) else "it may not be read by this user"


def _beside(path: Path) -> str:
    """Files of the same name with other capitals or another ending, which may be meant."""
    stem = path.name.lower().removesuffix(".gz").removesuffix(".nii")
    folder = path.parent
    near = [one.name for one in folder.iterdir() if one.name.lower().startswith(f"{stem}.")] if folder.is_dir() else []
    return f"there is {', '.join(sorted(near)[:3])}" if near else ""


def is_gzip(path: Path) -> bool:
    """Whether a file is packed with gzip, by its name."""
    return path.suffix.lower() == ".gz"


def file_facts(path: Path) -> tuple[int, ...]:
    """What tells without reading it whether a file is as it was: size, times of change in ns, and inode."""
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino


def is_settled(facts: tuple[int, ...], now: int) -> bool:
    """Whether a file whose facts were taken at `now`, in ns, would have others if it changed again."""
    return max(facts[1:3]) < now - SETTLED_NS


@dataclass(frozen=True)
class Stamp:
    """A file, or all files of a folder, as they were: bytes, time of the last change in ns, SHA-256 of the content."""

    size: int
    changed: int
    sha256: str


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, or of the names and contents of a folder's files."""
    whole = hashlib.sha256()
    if not path.is_dir():
        with path.open("rb", buffering=0) as stream:
            while part := stream.read(CHUNK):
                whole.update(part)
        return whole.hexdigest()
    for file in _files(path):
        whole.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    return whole.hexdigest()


def stamp(path: Path) -> Stamp:
    return Stamp(*_size_and_time(path), sha256(path))


def unchanged(path: Path, kept: Stamp) -> bool:
    """Whether a file has the content it had; it is hashed again only if its time of change differs."""
    try:
        size, changed = _size_and_time(path)
    except OSError:
        return False
    return size == kept.size and (changed == kept.changed or sha256(path) == kept.sha256)


def _size_and_time(path: Path) -> tuple[int, int]:
    facts = [file.stat() for file in _files(path)]
    return sum(one.st_size for one in facts), max((one.st_mtime_ns for one in facts), default=0)


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]

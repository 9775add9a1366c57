"""Content hashes of files, and a quick mark that says whether a file has been touched since it was hashed."""

import hashlib
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Stamp:
    """A file, or all files of a folder, as they were: bytes, time of the last change in ns, SHA-256 of the content."""

    size: int
    changed: int
    sha256: str


def sha256(path: Path) -> str:
    """Of a file's content; of a folder's names and contents."""
    if not path.is_dir():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    whole = hashlib.sha256()
    for file in _files(path):
        whole.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
    return whole.hexdigest()


def stamp(path: Path) -> Stamp:
    return Stamp(*_facts(path), sha256(path))


def holds(path: Path, kept: Stamp) -> bool:
    """Whether a file is what it was; only where its time differs is it read again."""
    try:
        size, changed = _facts(path)
    except OSError:
        return False
    return size == kept.size and (changed == kept.changed or sha256(path) == kept.sha256)


def _facts(path: Path) -> tuple[int, int]:
    facts = [file.stat() for file in _files(path)]
    return sum(one.st_size for one in facts), max((one.st_mtime_ns for one in facts), default=0)


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.iterdir() if file.is_file()) if path.is_dir() else [path]

"""SHA-256 of what files hold, unpacked: computed once, and remembered while a file's facts stay the same."""

import gzip
import os
import time
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

from datasets.errors import BadFile
from datasets.io.atomic import read_json, write_json

CACHE = "UADBENCH_CACHE"
PIECE = 2**20  # bytes
SETTLED_NS = 10**9  # a file that changed less than a second ago may change again within one tick of its clock


def cache_folder() -> Path:
    """Where this program keeps what it can compute again: UADBENCH_CACHE, or else uadbench in the user's own cache."""
    own = os.environ.get(CACHE)
    return Path(own) if own else Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "uadbench"


def marks_folder() -> Path:
    return cache_folder() / "contents"


def content_marks(paths: Iterable[Path]) -> dict[Path, str]:
    """The SHA-256 of each file's content, of a gzip file's unpacked one; of files that cannot be unpacked, their bytes.

    What is found is remembered below `cache_folder()`, for each folder of files, by size, times of change and inode;
    where nothing can be written there, everything is computed anew each time.

    Raises:
        OSError: a file cannot be read.
    """
    folders: dict[Path, set[Path]] = {}
    for path in paths:
        folders.setdefault(path.parent, set()).add(path)
    return {path: mark for folder, inside in folders.items() for path, mark in _marks(folder, inside).items()}


def file_facts(path: Path) -> list[int]:
    """What tells without reading it whether a file is as it was: size, times of change in ns, and inode."""
    facts = path.stat()
    return [facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino]


def is_settled(facts: list[int], now: int) -> bool:
    """Whether a file whose facts were taken at `now`, in ns, would have others if it changed again."""
    return max(facts[1:3]) < now - SETTLED_NS


def _marks(folder: Path, paths: set[Path]) -> dict[Path, str]:
    place = marks_folder() / f"{sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}.json"
    kept = _kept(place)
    facts = {path: file_facts(path) for path in sorted(paths)}
    known = {path: kept[path.name][-1] for path, own in facts.items() if kept.get(path.name, [])[:-1] == own}
    unknown = [path for path in facts if path not in known]
    if not unknown:
        return known
    begin = time.time_ns()
    with ThreadPoolExecutor() as readers:  # unpacking and hashing run beside each other
        found = dict(zip(unknown, readers.map(_content_sha256, unknown), strict=True))
    settled = [path for path in unknown if is_settled(facts[path], begin)]
    if settled:
        with suppress(OSError):
            there = {one.name for one in folder.iterdir()}
            kept = {name: entry for name, entry in kept.items() if name in there}
            write_json(place, kept | {path.name: [*facts[path], found[path]] for path in settled})
    return known | found


def _kept(place: Path) -> dict[str, list[Any]]:
    try:
        return dict(read_json(place))
    except (OSError, BadFile):
        return {}


def _content_sha256(path: Path) -> str:
    whole = sha256()
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as stream:
            while piece := stream.read(PIECE):
                whole.update(piece)
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return sha256(path.read_bytes()).hexdigest()
    return whole.hexdigest()

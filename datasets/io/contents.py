"""SHA-256 of what files hold, unpacked: computed once, and remembered while a file's facts stay the same."""

import gzip
import hashlib
import os
import time
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from datasets.errors import BadFile
from datasets.io.atomic import read_json, write_json
from datasets.io.files import file_facts, is_gzip, is_settled, sha256

CACHE = "UADBENCH_CACHE"


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


def _marks(folder: Path, paths: set[Path]) -> dict[Path, str]:
    place = marks_folder() / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]}.json"
    kept = _kept(place)
    facts = {path: file_facts(path) for path in sorted(paths)}
    known = {path: kept[path.name][-1] for path, own in facts.items() if tuple(kept.get(path.name, ())[:-1]) == own}
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
    if is_gzip(path):
        with suppress(EOFError, gzip.BadGzipFile, zlib.error), gzip.open(path) as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    return sha256(path)

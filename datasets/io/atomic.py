"""Writing a cohort: it appears when it is complete, and takes nobody's place."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EACCES
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

from datasets.errors import BadFile, BadValue


@contextmanager
def new_cohort(root: Path, name: str) -> Iterator[Path]:
    """An empty folder to write into, which becomes `<root>/<name>` when all went well, and else is gone.

    Raises:
        BadValue: there is such a folder already.
        OSError: `root` cannot be written to.
    """
    refuse_existing(root / name)
    refuse_read_only(root)
    root.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=root, prefix=f".{name}-") as unfinished:
        cohort = Path(unfinished) / name
        cohort.mkdir()
        yield cohort
        refuse_existing(root / name)
        cohort.rename(root / name)


def refuse_existing(folder: Path) -> None:
    if folder.exists():
        raise BadValue(f"{folder} is there already and is not overwritten; remove it or choose another folder.")


def refuse_read_only(folder: Path) -> None:
    """A folder that nobody may write to is left alone even by a user whom no permission stops.

    Raises:
        PermissionError: no permission to write is set on it, or on the one that it would be made in.
    """
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if there.exists() and not there.stat().st_mode & 0o222:
        raise PermissionError(EACCES, os.strerror(EACCES), str(there))


LEFT_OVER = re.compile(r"\.(\d+\.|scoring-|exchange-)")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, renamed to `path` when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{token_hex(4)}.{path.name}")  # two machines may share a folder
    try:
        yield beside
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def sweep(folder: Path, *names: str) -> None:
    """Remove what killed processes have left half-written in a folder, or of the files `names` in it.

    For whoever holds the lock under which the folder, or these files, are written.
    """
    for path in folder.glob(".*"):
        left = LEFT_OVER.match(path.name)
        if left is None or (names and path.name[left.end() :].partition(".")[2] not in names):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any, default: Callable[[Any], Any] | None = None) -> None:
    write_text(path, json.dumps(content, indent=1, sort_keys=True, default=default) + "\n")


def read_json(path: Path) -> Any:
    """The object in a file; raises BadFile where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BadFile(f"{path}: got a file that is not JSON ({error}), wanted one written by this program.") from error
    if not isinstance(content, dict):
        raise BadFile(f"{path}: got {type(content).__name__} as JSON, wanted an object written by this program.")
    return content

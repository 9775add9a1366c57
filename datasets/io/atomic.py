"""Files and folders that are complete or absent, written beside their place and renamed; JSON under a seal."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from errno import EACCES
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import Any

from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.files import check_file

MOST_JSON = 2**28  # bytes; the study of 40,000 cells has 50 MB
UNSEALED = "0" * 64
"""What stands in place of the seal, the SHA-256 of the file's text, while that is computed."""
LEFT_OVER = re.compile(r"\.(\d+\.|scoring-|exchange-)")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to, renamed to `path` if all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{token_hex(4)}.{path.name}")  # two machines may share a folder
    try:
        yield beside
        if path.is_dir() and not path.is_symlink():
            path.rmdir()  # an empty folder in place of the file; any other is refused
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file, on the disk before it takes its name: a power cut leaves the old one or the new."""
    with written_whole(path) as beside:
        beside.write_text(text, encoding="utf-8")
        flush_to_disk(beside)


def flush_to_disk(path: Path) -> None:
    """Wait until a file's content is on the disk, where the file system can say so."""
    with path.open("rb") as stream, suppress(OSError):
        os.fsync(stream.fileno())


def write_json(path: Path, content: Mapping[str, Any], default: Callable[[Any], Any] | None = None) -> None:
    """Write an object with a seal, by which `read_json` sees that the file is as it was written."""
    text = json.dumps({**content, "seal": UNSEALED}, indent=1, sort_keys=True, default=default) + "\n"
    whole = text.encode()
    seal = hashlib.sha256(whole).hexdigest()
    write_text(path, whole.replace(_line(UNSEALED), _line(seal)).decode())


def read_json(path: Path, *, mend: str = "") -> Any:
    """The object in a file, without its seal.

    Args:
        mend: what to do about a damaged file, a sentence of the error.

    Raises:
        BadFile: it is no file, no JSON object, too large or too deep, or no longer what was written under its seal.
    """
    try:
        return _sealed_object(path)
    except (MissingData, BadFile) as error:
        raise BadFile(" ".join(filter(None, (str(error), mend)))) from error


def _sealed_object(path: Path) -> dict[str, Any]:
    check_file(path)
    size = path.stat().st_size
    if size > MOST_JSON:
        raise BadFile(f"{path}: got {size} bytes of JSON, expected at most {MOST_JSON}.")
    whole = path.read_bytes()
    try:
        content = json.loads(whole.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        why = "it is too deep" if isinstance(error, RecursionError) else str(error)
        raise BadFile(f"{path}: got a file that is not JSON ({why}), expected one written by this program.") from error
    if not isinstance(content, dict):
        raise BadFile(f"{path}: got {type(content).__name__} as JSON, expected an object written by this program.")
    seal = content.pop("seal", None)
    if seal is not None and seal != hashlib.sha256(whole.replace(_line(seal), _line(UNSEALED))).hexdigest():
        raise BadFile(f"{path}: got a file that was changed after it was written, expected its text under its seal.")
    return content


def _line(seal: object) -> bytes:
    """The line of the outermost object that holds a seal; deeper ones are indented further."""
    return f'\n "seal": "{seal}"'.encode()


def sweep(folder: Path, *names: str) -> None:
    """Remove half-written files of killed processes from a folder; with `names` only those of these files.

    To be called under the lock under which the folder, or these files, are written.
    """
    for path in folder.glob(".*"):
        left = LEFT_OVER.match(path.name)
        if left is None or (names and path.name[left.end() :].partition(".")[2] not in names):
            continue
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path, *, replace: bool = False) -> Iterator[Path]:
    """An empty folder to write into, which becomes `folder` if all went well and is removed otherwise.

    Args:
        replace: whether a folder that is there already gives way once the new one is complete.

    Raises:
        BadValue: there is such a folder already.
        OSError: its parent cannot be written to.
    """

    def refuse_existing() -> None:
        if folder.exists() and not replace:
            raise BadValue(f"{folder} is there already and is not overwritten; remove it or choose another folder.")

    refuse_existing()
    refuse_read_only(folder.parent)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as unfinished:
        beside = Path(unfinished) / folder.name
        beside.mkdir()
        yield beside
        refuse_existing()
        if folder.exists():
            shutil.rmtree(folder)
        beside.rename(folder)


def refuse_read_only(folder: Path) -> None:
    """Refuse a folder without any permission to write, even for a user whom permissions do not stop.

    Raises:
        PermissionError: nobody may write to it, or to the nearest existing folder above it.
    """
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), folder)
    if there.exists() and not there.stat().st_mode & 0o222:
        raise PermissionError(EACCES, os.strerror(EACCES), str(there))

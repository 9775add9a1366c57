"""Digests of the files of a folder: written with them, in `SHA256SUMS` or a record, and checked when one is read."""

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

from datasets.errors import BadFile
from datasets.io.atomic import write_text
from datasets.io.files import file_facts, is_settled, sha256, why_no_file

NAME = "SHA256SUMS"


def write_checksums(folder: Path, names: Iterable[str]) -> None:
    """Write the digests of those of `names`, files or folders, that exist in `folder`; they replace earlier ones.

    In the format of `sha256sum --check`.
    """
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in _files(folder, names)]
    write_text(folder / NAME, "".join(lines))


def digests_of(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """By name the digests of those of `names` that exist in `folder`, for a record beside them."""
    return {name: sha256(folder / name) for name in names if (folder / name).is_file()}


def read_checksums(folder: Path) -> dict[str, str]:
    """By name the digests in SHA256SUMS; none where there is no such file.

    Raises:
        BadFile: it is malformed, or names a file outside of `folder`.
    """
    path = folder / NAME
    return dict(_checksums(path, file_facts(path))) if path.is_file() else {}


def broken(folder: Path) -> list[str]:
    """A line for each file that is missing or does not match its digest; empty if the folder has no SHA256SUMS.

    Raises:
        BadFile: SHA256SUMS is malformed, or names a file outside of `folder`.
    """
    return [fault for name, wanted in read_checksums(folder).items() if (fault := _fault(folder / name, wanted))]


def checked(folder: Path, name: str, digests: Mapping[str, str], mend: str) -> Path:
    """The path of a file that is as it was when its digest was taken.

    Args:
        digests: by name; it has to be among them.
        mend: what to do otherwise, a sentence of the error.

    Raises:
        BadFile: it is missing, something else than a file, without digest, or has another one.
    """
    path = folder / name
    fault = _fault(path, digests[name]) if name in digests else f"{path}: got a file without digest, expected one"
    if fault:
        raise BadFile(f"{fault}. {mend}")
    return path


def _fault(path: Path, wanted: str) -> str:
    why = why_no_file(path)
    if why is not None:
        return f"{path}: {why or 'missing'}"
    facts = file_facts(path)
    found = _known_sha256(path, facts) if is_settled(facts, time.time_ns()) else sha256(path)
    return "" if found == wanted else f"{path}: got digest {found[:12]}, expected {wanted[:12]}"


@lru_cache(maxsize=100_000)
def _known_sha256(path: Path, facts: tuple[int, ...]) -> str:
    """The digest of a file, taken once while its facts stay the same."""
    return sha256(path)


@lru_cache(maxsize=1000)
def _checksums(path: Path, facts: tuple[int, ...]) -> Mapping[str, str]:
    return dict(_lines(path))


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise BadFile(f"{path}: got a file that is not text, expected digests.") from error
    for line in lines:
        digest, _, name = line.partition("  ")
        place = PurePosixPath(name)
        if len(digest) != 64 or not name or place.is_absolute() or ".." in place.parts:
            raise BadFile(
                f"{path}: got the line {line[:80]!r}, expected a digest, two blanks and a file of this folder."
            )
        yield name, digest


def _files(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = folder / name
        if path.is_file():
            yield path
        elif path.is_dir():
            yield from sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))

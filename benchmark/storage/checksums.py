"""SHA256SUMS: the digests of the files of a folder, in the format of `sha256sum --check`."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from datasets.errors import BadFile
from datasets.io.atomic import write_text
from datasets.io.files import sha256

NAME = "SHA256SUMS"


def write_checksums(folder: Path, names: Iterable[str]) -> None:
    """Write the digests of those of `names`, files or folders, that exist in `folder`; they replace earlier ones."""
    lines = [f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in _files(folder, names)]
    write_text(folder / NAME, "".join(lines))


def broken(folder: Path) -> list[str]:
    """A line for each file that is missing or does not match its digest; empty if the folder has no SHA256SUMS.

    Raises:
        BadFile: SHA256SUMS is malformed, or names a file outside of `folder`.
    """
    return [fault for name, wanted in _read(folder) if (fault := _fault(folder / name, wanted))]


def _fault(path: Path, wanted: str) -> str:
    if not path.is_file():
        return f"{path}: missing"
    found = sha256(path)
    return "" if found == wanted else f"{path}: got digest {found[:12]}, expected {wanted[:12]}"


def _read(folder: Path) -> Iterator[tuple[str, str]]:
    path = folder / NAME
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or not (folder / name).resolve().is_relative_to(folder.resolve()):
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

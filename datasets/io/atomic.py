"""Writing a cohort: it appears when it is complete, and takes nobody's place."""

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from errno import EACCES
from pathlib import Path
from tempfile import TemporaryDirectory

from datasets.errors import BadValue


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


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, object]]) -> None:
    """Write CSV with `columns` as its first line."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

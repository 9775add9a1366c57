"""The tables of a run, joined from its cells or measured, under the digests in `tables.json`; and its other records."""

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.storage.checksums import checked, digests_of
from benchmark.storage.folder import RunFolder
from benchmark.storage.locks import lock
from benchmark.storage.rows import Row, kept_rows, read_rows, write_rows
from benchmark.storage.run_record import kept_cells, kept_references
from datasets.errors import BadFile, MissingData
from datasets.io.atomic import read_json, write_json

if TYPE_CHECKING:
    import pandas as pd

RECORD = "tables.json"
TABLES_LOCK = "tables"
RECORDS = ("environment.json", "audit.json")
"""What has to be there once a run that wrote it has tables."""


def keep_digests(run: RunFolder, names: Iterable[str], joined: Iterable[str] | None = None) -> None:
    """Keep the digests of those of `names` that exist in a run, beside those of its other tables.

    Args:
        joined: names of the folders of cells and perfect maps that the tables were joined from; None for the known.
    """
    path, names = run.root / RECORD, list(names)
    try:
        before = read_json(path) if path.is_file() else {}
    except BadFile:
        before = {}
    files = {name: digest for name, digest in before.get("files", {}).items() if name not in names}
    known = before.get("joined", []) if joined is None else list(joined)
    there = {name for name in RECORDS if (run.root / name).is_file()} | set(before.get("records", []))
    files |= digests_of(run.root, names)
    write_json(path, {"files": files, "joined": known, "records": sorted(there)})


def write_run_rows(run: RunFolder, name: str, rows: Iterable[Row], joined: Iterable[str] | None = None) -> None:
    """Write a table of rows of a run, and keep its digest; see `keep_digests`."""
    write_rows(run.root / name, rows)
    keep_digests(run, [name], joined)


def run_table(run: RunFolder, name: str) -> Path:
    """The path of a table of a run as it was written.

    Raises:
        MissingData: there is none.
        BadFile: it is damaged, or of other cells than those of `study.json`.
    """
    mend = f"Make it anew: python -m benchmark {'speed --run' if name == run.speed.name else 'evaluate'} {run.root}"
    path, record = run.root / name, run.root / RECORD
    if not (path.exists() or path.is_symlink()):
        raise MissingData(f"No table {path}. {mend}")
    kept = read_json(record, mend=mend)
    known = {cell.name for cell in kept_cells(run)} | {reference.name for reference in kept_references(run)}
    strangers = set(kept["joined"]) - known
    if strangers:
        raise BadFile(f"{path}: got rows of {min(strangers)}, expected those of cells in {run.study}. {mend}")
    try:
        return checked(run.root, name, kept["files"], mend)
    except BadFile:
        with lock(run, TABLES_LOCK):  # another process may have written it just now, and its digest by then
            return checked(run.root, name, read_json(record, mend=mend)["files"], mend)


def has_table(run: RunFolder, name: str) -> bool:
    """Whether a run has a table, or should have."""
    record = run.root / RECORD
    return (run.root / name).exists() or (record.is_file() and name in read_json(record)["files"])


def table_names(run: RunFolder) -> list[str]:
    """The tables that a run should have; `rows.csv` at least."""
    record = run.root / RECORD
    return list(dict.fromkeys(["rows.csv", *(read_json(record)["files"] if record.is_file() else ())]))


def read_run_record(run: RunFolder, name: str) -> dict[str, Any]:
    """What one of `RECORDS` says; empty where the run wrote none.

    Raises:
        BadFile: it is damaged, or gone.
    """
    path, record = run.root / name, run.root / RECORD
    if path.exists() or path.is_symlink():
        found: dict[str, Any] = read_json(path, mend="Restore it from a copy, or delete it")
        return found
    if record.is_file() and name in read_json(record).get("records", ()):
        raise BadFile(f"{path}: missing, expected what the run wrote. Restore it from a copy")
    return {}


def run_rows(run: RunFolder, name: str = "rows.csv") -> "pd.DataFrame":
    """A table of rows of a run as a frame, read once while it stays the same; raises what `run_table` raises."""
    path = run_table(run, name)
    return _known_rows(path, read_json(run.root / RECORD)["files"][name]).copy(deep=False)


@lru_cache(maxsize=2)  # rows.csv and timing.csv: summary, report and terminal each ask for them
def _known_rows(path: Path, digest: str) -> "pd.DataFrame":
    return read_rows(path)


def kept_run_rows(run: RunFolder, name: str = "rows.csv") -> list[Row]:
    """The same rows, read without pandas."""
    return kept_rows(run_table(run, name))

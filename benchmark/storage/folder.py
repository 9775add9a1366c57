"""RunFolder: where a study keeps fits, maps and rows; what is present is complete."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryFile
from typing import Any

from benchmark.study.cells import Cell, Fit, Reference
from datasets.cohorts.catalog import adopt
from datasets.cohorts.own import OwnCohort
from datasets.errors import BadFile, BadValue, MissingData

FORMAT = 4
LEFT_OVER = re.compile(r"\.(\d+\.|scoring-|exchange-)")


@dataclass(frozen=True)
class RunFolder:
    """Paths below a run's root; see docs/architecture.md for the whole layout."""

    root: Path

    def fit(self, fit: Fit) -> Path:
        return self.root / "fits" / fit.name

    def cell(self, cell: Cell | Reference) -> Path:
        return self.root / "cells" / cell.name

    def anomaly_map(self, cell: Cell, case_id: str) -> Path:
        return self.cell(cell) / "maps" / f"{case_id}.nii.gz"

    def reconstruction(self, cell: Cell, case_id: str) -> Path:
        return self.cell(cell) / "reconstructions" / f"{case_id}.nii.gz"

    def seen(self, cell: Cell) -> Path:
        """Rows that need the image as the detector saw it, of a cell under a shift."""
        return self.cell(cell) / "seen.csv"

    @property
    def study(self) -> Path:
        return self.root / "study.json"

    @property
    def speed(self) -> Path:
        """What `speed --run` measures of this run's methods."""
        return self.root / "speed.csv"


def open_run(root: Path) -> RunFolder:
    """An existing run folder; cohorts of the user's own are known by their names from now on.

    Raises:
        MissingData: there is none.
        BadFile: it was written by a version with another layout.
    """
    run = RunFolder(root)
    if not run.study.is_file():
        raise MissingData(
            f"No run at {root}: looked for {run.study}. Make one with: python -m benchmark run --out {root}"
        )
    check_format(run.study, read_json(run.study))
    for own in own_cohorts(run):
        adopt(own)
    return run


def check_format(record: Path, content: Mapping[str, Any]) -> None:
    """Refuse a record of a run or a fit that a version with another layout has written; raises BadFile."""
    found = content.get("format")
    if found != FORMAT:
        raise BadFile(
            f"{record}: got run format {found!r}, wanted {FORMAT}. Use the version that wrote it, or another --out."
        )


def own_cohorts(run: RunFolder) -> list[OwnCohort]:
    """The cohorts of the user's own that the folder's study names."""
    stored = read_json(run.study).get("own", []) if run.study.exists() else []
    return [OwnCohort(one["name"], Path(one["home"]), tuple(one["sequences"]), one["healthy"]) for one in stored]


def create_run(root: Path) -> RunFolder:
    """The run folder at `root`, made where there is none yet; it holds no study until one is claimed.

    Raises:
        BadValue: `root` holds other things, or cannot be written.
        BadFile: it was written by a version with another layout.
    """
    if (root / "study.json").exists():
        return open_run(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        strangers = [path.name for path in root.iterdir() if not path.name.startswith(".")]
        if strangers and (root / "study.json").exists():  # written meanwhile by another process
            return open_run(root)
        if strangers:
            raise BadValue(
                f"--out {root}: got a folder that holds {strangers[0]}, wanted an empty one or a run of ours."
            )
        with TemporaryFile(dir=root):  # a place to write to, or an OSError now
            pass
    except OSError as error:
        raise BadValue(f"--out {root} cannot be written: {error.strerror}.") from error
    return RunFolder(root)


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

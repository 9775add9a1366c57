"""RunFolder: the paths of a run, its creation and opening; a file that exists there is complete."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from benchmark.study.cells import Cell, Fit, Reference
from datasets.case import AND
from datasets.cohorts.catalog import add_user_cohort
from datasets.cohorts.user_folder import UserCohort
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.atomic import read_json

FORMAT = 6
MOST_DEPTH, MOST_FILES = 8, 2_000_000  # of a stranger's run; 10,000 cells of 100 scans have a million maps
LONGEST_TEXT = 1000


@dataclass(frozen=True)
class RunFolder:
    """Paths below the root of a run; docs/architecture.md shows the whole layout."""

    root: Path

    def fit(self, fit: Fit) -> Path:
        return self.root / "fits" / fit.name

    def cell(self, cell: Cell | Reference) -> Path:
        return self.root / "cells" / cell.name

    def anomaly_map(self, cell: Cell, case_id: str) -> Path:
        return self.cell(cell) / "maps" / f"{case_id}.nii.gz"

    def reconstruction(self, cell: Cell, case_id: str) -> Path:
        """Of the only or first sequence."""
        return self.cell(cell) / "reconstructions" / f"{case_id}.nii.gz"

    def reconstructions(self, cell: Cell, case_id: str) -> list[Path]:
        """Of every sequence, the further ones in folders of their names."""
        first = self.reconstruction(cell, case_id)
        further = cell.cohort.sequence.split(AND)[1:]
        return [first, *(first.parent / sequence / first.name for sequence in further)]

    def healthy_residuals(self, cell: Cell) -> Path:
        """Beside the maps of a fit's healthy cohort: mean and spread of the residuals of its training scans."""
        return self.cell(cell) / "healthy-residuals"

    def seen(self, cell: Cell) -> Path:
        """Rows that need the image after the shift, as the detector saw it."""
        return self.cell(cell) / "seen.csv"

    @property
    def study(self) -> Path:
        return self.root / "study.json"

    @property
    def speed(self) -> Path:
        """Table of what `speed --run` measures of the methods of this run."""
        return self.root / "speed.csv"


def open_run(root: Path) -> RunFolder:
    """Open an existing run folder, and register the user's own cohorts that it names.

    Raises:
        MissingData: there is no run at `root`.
        BadFile: a version with another run format wrote it.
    """
    run = RunFolder(root)
    if not run.study.is_file():
        raise MissingData(
            f"No run at {root}: looked for {run.study}. Make one with: python -m benchmark run --out {root}"
        )
    study = read_json(run.study, mend="Restore it from a copy; fits/ may be copied into another --out")
    check_format(run.study, study)
    _check_text(run.study, study)
    for own in study.get("own", []):
        add_user_cohort(UserCohort(own["name"], Path(own["home"]), tuple(own["sequences"]), own["healthy"]))
    return run


def check_tree(root: Path) -> None:
    """Look through a stranger's folder before anything in it is read.

    Raises:
        BadValue: it holds a link or something else than files and folders, or is too deep or too large.
    """
    waiting, count = [(root, 0)], 0
    while waiting:
        folder, depth = waiting.pop()
        with os.scandir(folder) as found:
            for one in found:
                count += 1
                plain = one.is_dir(follow_symlinks=False) or one.is_file(follow_symlinks=False)
                if not plain or depth >= MOST_DEPTH or count > MOST_FILES:
                    got = "a link or device" if not plain else f"more than {MOST_DEPTH} levels or {MOST_FILES} files"
                    raise BadValue(f"{one.path}: got {got}, expected the plain files of a run.")
                if one.is_dir(follow_symlinks=False):
                    waiting.append((Path(one.path), depth + 1))


def _check_text(record: Path, content: object) -> None:
    """Refuse a record with a text that no name, path or setting is: it would stand in reports and on pages."""
    waiting: list[Any] = [content]
    texts = set[str]()
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            texts.update(one)
        for part in one.values() if isinstance(one, dict) else one:
            if isinstance(part, str):
                texts.add(part)
            elif isinstance(part, (dict, list)):
                waiting.append(part)
    for text in texts:
        if len(text) > LONGEST_TEXT or "`" in text or not text.isprintable():
            raise BadFile(
                f"{record}: got the text {text[:60]!r}, expected printable names of at most {LONGEST_TEXT} characters "
                "without back-ticks."
            )


def check_format(record: Path, content: Mapping[str, Any], readable: Collection[int] = (FORMAT,)) -> None:
    """Raise BadFile if a version with another run format wrote the record of a run, cell or fit."""
    if content.get("format") in readable:
        return
    found = f"got run format {content['format']!r}" if "format" in content else "got no run format"
    version = content.get("version")
    writer = f"uadbench {version}" if version else "an unknown version of uadbench"
    raise BadFile(
        f"{record}: {found}, written by {writer}, expected {FORMAT}. To read it, install that version; "
        "to compute it anew, use: python -m benchmark run --out ANOTHER_FOLDER"
    )


def create_run(root: Path) -> RunFolder:
    """The run folder at `root`, created if there is none; it holds no study before `add_study`.

    A folder with nothing but `fits` is one too: fits that a run makes again are taken from there. So is one whose data
    were audited and that was planned no further.

    Raises:
        BadValue: `root` holds other files, or cannot be written.
        BadFile: a version with another run format wrote it.
    """
    if (root / "study.json").exists():
        return open_run(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        names = [path.name for path in root.iterdir()]
        strangers = [name for name in names if not name.startswith(".") and name not in ("fits", "audit.json")]
        if strangers and (root / "study.json").exists():  # another process has just written it
            return open_run(root)
        if strangers:
            raise BadValue(
                f"--out {root}: got a folder that holds {strangers[0]}, expected an empty one or a run of ours."
            )
        with TemporaryFile(dir=root):  # fails now if nothing can be written here
            pass
    except OSError as error:
        raise BadValue(f"--out {root} cannot be written: {error.strerror}.") from error
    return RunFolder(root)

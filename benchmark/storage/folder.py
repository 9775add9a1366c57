"""RunFolder: where a study keeps fits, maps and rows; what is present is complete."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from benchmark.study.cells import Cell, Fit, Reference
from datasets.cohorts.catalog import add_own
from datasets.cohorts.own import OwnCohort
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.atomic import read_json

FORMAT = 4


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
        add_own(own)
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

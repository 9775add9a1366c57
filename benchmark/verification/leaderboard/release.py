"""Release: what a board decides on and over which data, fixed with its first entry."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark import __version__
from benchmark.statistics.primary_endpoint import RELEASE, Endpoint, read_endpoint
from benchmark.storage.folder import FORMAT, RunFolder
from benchmark.storage.run_record import kept_cells
from datasets.errors import BadFile, MissingData
from datasets.io.atomic import read_json, write_json, write_text

SETTINGS = ("grid", "healthy", "limit", "folds")
"""What one table cannot hold two of, as a run's `study.json` names it."""


@dataclass(frozen=True)
class Release:
    """What every entry of a board has in common.

    Attributes:
        format: of the run folders.
        version: of the program, without its last number.
        settings: grid, healthy cohort, limit and folds.
        cohorts: by `dataset, sequence`, the digest of splits and voxels.
    """

    format: int
    version: str
    settings: Mapping[str, Any]
    cohorts: Mapping[str, str]

    def faults(self, run: RunFolder) -> Iterator[str]:
        """Why a run's numbers may not stand beside those of the release, a line each."""
        study = read_json(run.study)
        if study.get("format") != self.format:
            yield f"run format {study.get('format')!r}, wanted {self.format}"
            return
        if minor(study["version"]) != self.version:
            yield f"made by version {study['version']}, wanted {self.version}.x"
        for name, wanted in self.settings.items():
            if study["settings"][name] != wanted:
                yield f"{name} {_short(study['settings'][name])}, wanted {_short(wanted)}"
        if "test" not in study["settings"]["splits"]:
            yield "its test split is closed"
        for name, digest in cohorts_of(run).items():
            if self.cohorts.get(name, digest) != digest:
                yield f"{name}: data with digest {digest[:12]}, wanted {self.cohorts[name][:12]}"

    def with_cohorts_of(self, run: RunFolder) -> "Release":
        """With those of a run, so that a later run has to have them alike."""
        return Release(self.format, self.version, self.settings, {**cohorts_of(run), **self.cohorts})


def release_of(run: RunFolder) -> Release:
    """The release that a board's first run makes."""
    settings = read_json(run.study)["settings"]
    return Release(FORMAT, minor(__version__), {name: settings[name] for name in SETTINGS}, cohorts_of(run))


def cohorts_of(run: RunFolder) -> dict[str, str]:
    return {f"{cell.cohort.dataset}, {cell.cohort.sequence}": cell.cohort.digest for cell in kept_cells(run)}


def minor(version: str) -> str:
    """A version without its last number, which stands for changes that no reported number sees."""
    return ".".join(version.split(".")[:2])


def has_release(board: Path) -> bool:
    return (board / "release.json").is_file()


def write_release(board: Path, release: Release) -> None:
    """Write the data manifest, and the endpoint where there is none yet."""
    if not (board / "endpoint.toml").is_file():
        write_text(board / "endpoint.toml", RELEASE.read_text(encoding="utf-8"))
    write_json(board / "release.json", asdict(release))


def read_release(board: Path) -> tuple[Release, Endpoint]:
    """A board's release and its frozen endpoint.

    Raises:
        MissingData: the folder is no board.
        BadFile: it is one of another version, or not readable.
    """
    if not has_release(board):
        raise MissingData(
            f"No leaderboard at {board}: looked for {board / 'release.json'}. Make one with: "
            "python -m benchmark leaderboard add BOARD RUN"
        )
    stored = read_json(board / "release.json")
    try:
        release = Release(**stored)
    except TypeError as error:
        raise BadFile(f"{board / 'release.json'}: got other fields than those of a release ({error}).") from error
    return release, read_endpoint(board / "endpoint.toml")


def _short(value: Any) -> str:
    text = json.dumps(value, sort_keys=True)
    return text if len(text) <= 100 else f"{text[:97]}..."

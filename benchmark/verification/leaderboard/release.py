"""Release: the data, settings and endpoint of a board, fixed with its first entry."""

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
"""Settings in `study.json` that all rows of one table must share."""


@dataclass(frozen=True)
class Release:
    """What all entries of a board have in common.

    Attributes:
        format: of the run folders.
        version: of the program, as major.minor.
        settings: grid, healthy cohort, limit and folds.
        cohorts: digest of splits and voxels by `dataset, sequence`.
    """

    format: int
    version: str
    settings: Mapping[str, Any]
    cohorts: Mapping[str, str]

    def faults(self, run: RunFolder) -> Iterator[str]:
        """Reasons why the numbers of a run are not comparable with those of the release, one line each."""
        study = read_json(run.study)
        if study.get("format") != self.format:
            yield f"run format {study.get('format')!r}, expected {self.format}"
            return
        if minor(study["version"]) != self.version:
            yield f"made by version {study['version']}, expected {self.version}.x"
        for name, wanted in self.settings.items():
            if study["settings"][name] != wanted:
                yield f"{name} {_short(study['settings'][name])}, expected {_short(wanted)}"
        if "test" not in study["settings"]["splits"]:
            yield "its test split is closed"
        for name, digest in cohorts_of(run).items():
            if self.cohorts.get(name, digest) != digest:
                yield f"{name}: data with digest {digest[:12]}, expected {self.cohorts[name][:12]}"

    def with_cohorts_of(self, run: RunFolder) -> "Release":
        """The release with the cohorts of a run added, which later runs have to share."""
        return Release(self.format, self.version, self.settings, {**cohorts_of(run), **self.cohorts})


def release_of(run: RunFolder) -> Release:
    """The release of a board whose first entry is `run`."""
    settings = read_json(run.study)["settings"]
    return Release(FORMAT, minor(__version__), {name: settings[name] for name in SETTINGS}, cohorts_of(run))


def cohorts_of(run: RunFolder) -> dict[str, str]:
    return {f"{cell.cohort.dataset}, {cell.cohort.sequence}": cell.cohort.digest for cell in kept_cells(run)}


def minor(version: str) -> str:
    """A version as major.minor; changes of the last number affect no reported number."""
    return ".".join(version.split(".")[:2])


def has_release(board: Path) -> bool:
    return (board / "release.json").is_file()


def write_release(board: Path, release: Release) -> None:
    """Write `release.json`, and `endpoint.toml` if there is none yet."""
    if not (board / "endpoint.toml").is_file():
        write_text(board / "endpoint.toml", RELEASE.read_text(encoding="utf-8"))
    write_json(board / "release.json", asdict(release))


def read_release(board: Path) -> tuple[Release, Endpoint]:
    """The release of a board, and its endpoint.

    Raises:
        MissingData: the folder holds no board.
        BadFile: another version wrote it, or it cannot be read.
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

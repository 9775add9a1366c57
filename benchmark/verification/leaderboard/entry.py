"""Entry: the tables and data cards of a run on a board, and whether they verify."""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from benchmark.storage import checksums
from benchmark.storage.checksums import broken, write_checksums
from benchmark.storage.folder import RunFolder, open_run
from benchmark.storage.rows import PLUGIN, read_rows
from benchmark.storage.run_record import has_failed, kept_cells, kept_references
from benchmark.storage.run_tables import has_table, keep_digests, run_rows, run_table
from benchmark.study.cells import Cell, Fit
from benchmark.verification.leaderboard.release import Release
from benchmark.verification.verify import Check, out_of_range, strange_rows
from datasets.errors import BadFile, BadValue, UserError
from datasets.io.atomic import new_folder, read_json, write_json
from datasets.io.files import sha256

TABLES = ("rows.csv", "timing.csv")
FILES = ("study.json", "environment.json", "tables.json", *TABLES, "fits")
Status = Literal["verified", "self-reported"]
SHOWN = 3  # names of an error


@dataclass(frozen=True)
class Attestation:
    """What a board found when it verified a run, kept outside of the entry.

    Attributes:
        status: "verified"; "self-reported" where the board holds other cohorts: nothing was computed again.
        seed: that the cases to map again were drawn with.
        checks: as of `verify_run`.
    """

    status: Status
    seed: int
    checks: tuple[Check, ...]

    @property
    def remade(self) -> tuple[str, ...]:
        """Keys of the cells of which a map was made again."""
        return tuple(key for check in self.checks for key in check.cells)


@dataclass(frozen=True)
class Entry:
    """One run on a board."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def run(self) -> RunFolder:
        return RunFolder(self.folder)

    @property
    def cells(self) -> list[Cell]:
        return kept_cells(self.run)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """Its rows, read once, with every digit."""
        return read_rows(run_table(self.run, "rows.csv"), exact=True)

    @property
    def record(self) -> Path:
        """Where the board keeps its attestation."""
        return self.folder.parents[1] / "attestations" / f"{self.name}.json"

    @property
    def attestation(self) -> Attestation:
        """What the board found when it took the entry.

        Raises:
            BadFile: it keeps none, or not for these files.
        """
        from pydantic import TypeAdapter

        mend = f"Add the run anew: python -m benchmark leaderboard add BOARD RUN --name {self.name}"
        kept = read_json(self.record, mend=mend)
        if kept.pop("sums", "") != sha256(self.folder / checksums.NAME):
            raise BadFile(f"{self.folder}: got other files than this board has verified")
        return TypeAdapter(Attestation).validate_python(kept)

    @property
    def is_verified(self) -> bool:
        """Whether its rows were made again from its maps."""
        return self.attestation.status == "verified"

    def unattested(self) -> list[str]:
        """Reasons why the board's attestation does not hold for its files: one is changed, missing or strange."""
        if not (self.folder / checksums.NAME).is_file():
            return [f"{self.folder}: no {checksums.NAME}"]
        try:
            _ = self.attestation
        except BadFile as error:
            return [str(error)]
        known = {*checksums.read_checksums(self.folder), checksums.NAME}
        there = (path for path in self.folder.rglob("*") if path.is_file())
        strange = [f"{path}: of no digest" for path in there if path.relative_to(self.folder).as_posix() not in known]
        return [*broken(self.folder), *strange]


def entries(board: Path) -> list[Entry]:
    return [Entry(path.parent) for path in sorted((board / "entries").glob("*/study.json"))]


def new_entry(board: Path, name: str) -> Path:
    """The folder of an entry that is not there yet.

    Raises:
        BadValue: the board has an entry with this name.
    """
    folder = board / "entries" / name
    if folder.exists():
        raise BadValue(f"{board}: got a second entry '{name}', expected another --name.")
    return folder


def take(run: RunFolder, board: Path, name: str, attestation: Attestation) -> Entry:
    """Copy the tables and data cards of a run into a board, without the paths of its data, and keep an attestation.

    Raises:
        BadValue: the board has an entry with this name.
    """
    folder = new_entry(board, name)
    with new_folder(folder) as beside:
        for file in (*TABLES, "environment.json"):
            if (run.root / file).is_file():
                shutil.copyfile(run.root / file, beside / file)
        for card in sorted(run.root.glob("fits/*/card.json")):
            (beside / "fits" / card.parent.name).mkdir(parents=True)
            shutil.copyfile(card, beside / "fits" / card.parent.name / card.name)
        failed = [cell.key for cell in kept_cells(run) if has_failed(run, cell)]
        write_json(beside / "study.json", {**_without_places(read_json(run.study)), "failed": failed})
        keep_digests(RunFolder(beside), TABLES)
        write_checksums(beside, FILES)
    entry = Entry(folder)
    write_json(entry.record, {**asdict(attestation), "sums": sha256(folder / checksums.NAME)})
    return entry


def faults(entry: Entry, release: Release) -> list[str]:
    """Reasons to refuse an entry, one line each; empty if it verifies."""
    try:
        return list(_faults(entry, release))
    except (UserError, KeyError, TypeError) as error:
        return [f"cannot be read: {error}"]


def _faults(entry: Entry, release: Release) -> Iterator[str]:
    by_plugins = list(_scored_by_plugins(entry))
    yield from by_plugins
    wrong = by_plugins or list(release.faults(entry.run))
    yield from wrong
    if not wrong:
        open_run(entry.folder)  # registers the cohorts that only its authors have
        yield from strange_rows(entry.rows, entry.cells, kept_references(entry.run))
        yield from out_of_range(entry.rows)
        if has_table(entry.run, "timing.csv"):
            yield from out_of_range(run_rows(entry.run, "timing.csv"))


def _scored_by_plugins(entry: Entry) -> Iterator[str]:
    """A line where a plugin's metric, protocol or post-processing has made rows: no one else could verify them."""
    by_plugin = [flags for flags in entry.rows["flags"].unique() if PLUGIN in flags.split()]
    flagged = entry.rows[entry.rows["flags"].isin(by_plugin)]
    if len(flagged):
        alike = flagged[["postprocessing", "protocol", "metric"]].drop_duplicates()
        names = sorted(" / ".join(filter(None, one)) for one in alike.itertuples(index=False, name=None))
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        yield (
            f"got {len(flagged)} rows scored by plugins ({shown}), expected built-in scoring only; score it anew with: "
            f"python -m benchmark evaluate {entry.folder} --metrics ... --protocols ... --postprocessing ..."
        )


class Standing:
    """What entries of a board hold, each table read once, to find a method, cell or row with two meanings."""

    def __init__(self) -> None:
        """Begin without any entry."""
        self._fits: dict[str, tuple[Fit, str]] = {}
        self._cells: dict[tuple[object, ...], tuple[Cell, str]] = {}
        self._rows: dict[str, pd.DataFrame] = {}

    def add(self, entry: Entry) -> None:
        """Add an entry that contradicts none."""
        for cell in entry.cells:
            self._fits.setdefault(cell.fit.method, (cell.fit, entry.name))
            self._cells.setdefault(cell.label, (cell, entry.name))
        for method, own in _by_method(entry):
            known = self._rows.get(method, own.iloc[:0])
            self._rows[method] = pd.concat([known, own[~own.index.isin(known.index)]])

    def clashes(self, entry: Entry) -> Iterator[str]:
        """Contradictions between an entry and those that are here."""
        for method, fit in {cell.fit.method: cell.fit for cell in entry.cells}.items():
            kept, name = self._fits.get(method, (fit, ""))
            if _settings(kept) != _settings(fit):
                yield (
                    f"{method} stands on the board with other hyper-parameters or of another version or revision "
                    f"({name})"
                )
        for cell in entry.cells:
            known, name = self._cells.get(cell.label, (cell, ""))
            if known != cell:
                what = f"{cell.fit.method} on {cell.where}, seed {cell.fit.seed}"
                yield f"{what} stands on the board from other settings ({name})"
        unlike = Counter[str]()
        for method, own in _by_method(entry):
            if method in self._rows:
                both = own.merge(self._rows[method], left_index=True, right_index=True, suffixes=("", " kept"))
                unlike.update(both.loc[both["bits"] != both["bits kept"], "entry kept"])
        for name, count in unlike.items():
            yield f"{count} rows have the keys of {name} and other numbers"


def _by_method(entry: Entry) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each method: every digit of the value as `bits` beside the `entry`, by a hash of all other fields."""
    rows = entry.rows
    names = pd.util.hash_pandas_object(rows.drop(columns="value"), index=False)
    bits = rows["value"].to_numpy(np.float64).view(np.int64)
    lines = pd.DataFrame({"bits": bits, "entry": entry.name}, index=names.to_numpy())
    for method, own in lines.groupby(rows["method"].to_numpy(), sort=False):
        yield str(method), own


def _settings(fit: Fit) -> tuple[object, ...]:
    return dict(fit.config), fit.origin, fit.revision


def _without_places(study: dict[str, Any]) -> dict[str, Any]:
    """A study without the paths of the machine that ran it."""
    return {**study, "data": "", "asked": [], "own": [{**own, "home": own["name"]} for own in study["own"]]}

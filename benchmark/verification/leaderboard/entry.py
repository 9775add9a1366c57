"""Entry: the tables and data cards of a run on a board, and whether they verify."""

import re
import shutil
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.storage import checksums
from benchmark.storage.checksums import broken, write_checksums
from benchmark.storage.folder import RunFolder, open_run
from benchmark.storage.rows import PLUGIN, read_rows, read_texts, row_names
from benchmark.storage.run_record import has_failed, kept_cells, kept_references
from benchmark.storage.run_tables import has_table, keep_digests, run_rows, run_table
from benchmark.study.cells import Cell, Fit
from benchmark.study.study import Study
from benchmark.verification.leaderboard.release import Release
from benchmark.verification.verify import Check, out_of_range, strange_rows
from datasets.errors import BadFile, BadValue, UserError
from datasets.io.atomic import new_folder, read_json, write_json
from datasets.io.contents import content_marks
from datasets.io.files import sha256
from datasets.words import count_text

TABLES = ("rows.csv", "timing.csv")
FILES = ("study.json", "environment.json", "tables.json", "scans.json", *TABLES, "fits")
NAME = re.compile(r"\w[\w.=-]{0,99}")
Status = Literal["verified", "attested", "self-reported"]
STATUSES = get_args(Status)
Renaming = Callable[[str, str], str]
"""The name under which an entry shows a patient or case of a data set."""
SHOWN = 3  # names of an error


@dataclass(frozen=True)
class Attestation:
    """What was found when a run was verified, kept by the board outside of the entry.

    Attributes:
        status: "verified" by the board; "attested" by a site that holds the cohorts and has signed that; else
            "self-reported": nothing was computed again.
        seed: that the cases to map again were drawn with.
        checks: as of `verify_run`.
        site: whose signature it is; "" where the board verified.
    """

    status: Status
    seed: int
    checks: tuple[Check, ...]
    site: str = ""

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
        return read_rows(run_table(self.run, "rows.csv"))

    @cached_property
    def row_names(self) -> NDArray[np.uint64]:
        """See `benchmark.storage.rows.row_names`."""
        return row_names(self.rows)

    def forget_rows(self) -> None:
        """Free the memory of `rows`; their `row_names` stay."""
        _ = self.row_names
        vars(self).pop("rows", None)

    @property
    def tested(self) -> list[str]:
        """Its data sets but those that methods were fitted on, which entries share."""
        fitted = {one.dataset for cell in self.cells for one in cell.fit.healthy_cohorts}
        return list(dict.fromkeys(cell.cohort.dataset for cell in self.cells if cell.cohort.dataset not in fitted))

    @property
    def scans(self) -> dict[str, list[str]]:
        """See `scans_of`; none where nobody who attests it has held the scans."""
        path = self.folder / "scans.json"
        return read_json(path) if path.is_file() else {}

    @property
    def record(self) -> Path:
        """Where the board keeps its attestation."""
        return self.folder.parents[1] / "attestations" / f"{self.name}.json"

    @property
    def dates(self) -> Path:
        """Where the board keeps the days on which it took its entries."""
        return self.folder.parents[1] / "added.json"

    @property
    def all_dates(self) -> dict[str, str]:
        return read_json(self.dates) if self.dates.is_file() else {}

    @property
    def added(self) -> str:
        """The day on which the board took it, as 2026-01-31 in UTC; "" if unknown."""
        return str(self.all_dates.get(self.name, ""))

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
        return [*broken(self.folder), *strange_files(self.folder)]


def entries(board: Path) -> list[Entry]:
    return [Entry(path.parent) for path in sorted((board / "entries").glob("*/study.json"))]


def strange_files(folder: Path, also: Collection[str] = ()) -> list[str]:
    """A line for each file of an entry without digest, but those named in `also`."""
    known = {*checksums.read_checksums(folder), checksums.NAME, *also}
    there = (path for path in folder.rglob("*") if path.is_file())
    return [f"{path}: of no digest" for path in there if path.relative_to(folder).as_posix() not in known]


def new_entry(board: Path, name: str) -> Path:
    """The folder of an entry that is not there yet.

    Raises:
        BadValue: the board has an entry with this name.
    """
    folder = board / "entries" / name
    if folder.exists():
        raise BadValue(f"{board}: got a second entry '{name}', expected another --name.")
    return folder


def take(
    run: RunFolder, board: Path, name: str, attestation: Attestation, scans: Mapping[str, Sequence[str]] | None = None
) -> Entry:
    """Copy the tables and data cards of a run into a board, without the paths of its data, and keep an attestation.

    Args:
        scans: of `scans_of`, where the board holds the cohorts.

    Raises:
        BadValue: the board has an entry with this name.
    """
    with new_folder(new_entry(board, name)) as beside:
        write_entry(run, beside, scans or {})
    entry = Entry(board / "entries" / name)
    keep_attestation(entry, attestation)
    return entry


def write_entry(
    run: RunFolder, folder: Path, scans: Mapping[str, Sequence[str]], renamed: Renaming | None = None
) -> None:
    """Write what an entry holds of a run into an empty folder."""
    study = read_json(run.study)
    for file in TABLES:
        if not (run.root / file).is_file():
            continue
        if renamed is None:
            shutil.copyfile(run.root / file, folder / file)
        else:
            _write_renamed(run_table(run, file), folder / file, renamed)
    if (run.root / "environment.json").is_file():
        shutil.copyfile(run.root / "environment.json", folder / "environment.json")
    for card in sorted(run.root.glob("fits/*/card.json")):
        (folder / "fits" / card.parent.name).mkdir(parents=True)
        shutil.copyfile(card, folder / "fits" / card.parent.name / card.name)
    if renamed is not None:
        skipped = {name: [renamed(name, one) for one in cases] for name, cases in study.get("skipped", {}).items()}
        study |= {"cases": {}, "skipped": skipped}
    failed = [cell.key for cell in kept_cells(run) if has_failed(run, cell)]
    write_json(folder / "study.json", {**_without_places(study), "failed": failed})
    write_json(folder / "scans.json", {name: list(found) for name, found in scans.items()})
    keep_digests(RunFolder(folder), TABLES)
    write_checksums(folder, FILES)


def keep_attestation(entry: Entry, attestation: Attestation) -> None:
    """Keep what was found of an entry, and the day."""
    write_json(entry.dates, entry.all_dates | {entry.name: datetime.now(UTC).date().isoformat()})
    write_json(entry.record, {**asdict(attestation), "sums": sha256(entry.folder / checksums.NAME)})


def scans_of(study: Study) -> dict[str, list[str]]:
    """By data set the digests of its scans: equal for equal headers and voxels, whatever a file is called."""
    return {name: sorted(content_marks(one.image for one in files).values()) for name, files in study.files.items()}


def _write_renamed(table: Path, copy: Path, renamed: Renaming) -> None:
    """Write a table of rows with other names of cases and patients, all else as it is written."""
    rows = read_texts(table)
    for column in ("case_id", "subject_id"):
        own = rows.groupby(["dataset", column], sort=False, observed=True)
        names = np.array([renamed(*name) for name in own.size().index], dtype=object)
        rows[column] = names[own.ngroup()]
    rows.to_csv(copy, index=False, lineterminator="\n")


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
            f"got {count_text(len(flagged), 'row')} scored by plugins ({shown}), expected built-in scoring only; "
            f"score it anew with: python -m benchmark evaluate {entry.folder} "
            "--metrics ... --protocols ... --postprocessing ..."
        )


class Standing:
    """What entries of a board hold, each table read once, to find a method, cell or row with two meanings."""

    def __init__(self) -> None:
        """Begin without any entry."""
        self._fits: dict[str, tuple[Fit, str]] = {}
        self._cells: dict[tuple[object, ...], tuple[Cell, str]] = {}
        self._rows: dict[str, pd.DataFrame] = {}
        self._sources: dict[str, tuple[str, str]] = {}
        self._scans: dict[str, tuple[str, str]] = {}

    def add(self, entry: Entry) -> None:
        """Add an entry that contradicts none."""
        for name in entry.tested:
            self._sources.setdefault(name, (entry.attestation.site, entry.name))
        for name, scans in entry.scans.items():
            self._scans.update(dict.fromkeys(scans, (name, entry.name)))
        for cell in entry.cells:
            self._fits.setdefault(cell.fit.method, (cell.fit, entry.name))
            self._cells.setdefault(cell.label, (cell, entry.name))
        for method, own in _by_method(entry):
            known = self._rows.get(method, own.iloc[:0])
            self._rows[method] = pd.concat([known, own[~own.index.isin(known.index)]])

    def clashes(self, entry: Entry, site: str = "") -> Iterator[str]:
        """Contradictions between an entry and those that are here.

        Args:
            site: that attests the entry.
        """
        yield from self._shared_patients(entry, site)
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
            yield f"{count_text(count, 'row')} with keys of {name} and other numbers"

    def _shared_patients(self, entry: Entry, site: str) -> Iterator[str]:
        """Patients who would count twice: of a cohort that somebody else stands for, or under two cohorts."""
        for name in entry.tested:
            source, other = self._sources.get(name, (site, ""))
            if source != site:
                whose = f"site {source}" if source else "a run that was added here"
                yield f"the patients of {name} stand on the board already, from {whose} ({other})"
        for name, scans in entry.scans.items():
            again = Counter(self._scans[one] for one in scans if self._scans.get(one, (name, ""))[0] != name)
            for (cohort, other), count in again.items():
                yield f"{count_text(count, 'scan')} of {name} on the board already, as {cohort} ({other})"


def _by_method(entry: Entry) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each method: every digit of the value as `bits` beside the `entry`, by a hash of all other fields."""
    rows = entry.rows
    bits = rows["value"].to_numpy(np.float64).view(np.int64)
    lines = pd.DataFrame({"bits": bits, "entry": entry.name}, index=entry.row_names)
    for method, own in lines.groupby(rows["method"].array, sort=False):
        yield str(method), own


def _settings(fit: Fit) -> tuple[object, ...]:
    return dict(fit.config), fit.origin, fit.revision


def _without_places(study: dict[str, Any]) -> dict[str, Any]:
    """A study without the paths of the machine that ran it."""
    return {**study, "data": "", "asked": [], "own": [{**own, "home": own["name"]} for own in study["own"]]}

"""The records of a run folder: `study.json`, and the `cell.json` of each cell with its state."""

import csv
import json
import logging
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from benchmark import __version__
from benchmark.metrics import METRICS, scored
from benchmark.postprocessing.pipelines import pipeline_named, pipeline_on
from benchmark.storage.folder import FORMAT, RunFolder
from benchmark.study.cells import Cell, Reference, as_stored, cell_from_json, reference_from_json
from benchmark.study.protocols import protocol_named
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.cohorts.catalog import add_user_cohort, dataset, find_user_cohort
from datasets.errors import BadFile, BadValue, MissingData, UnknownName, UserError
from datasets.grid import Grid
from datasets.io.atomic import read_json, write_json
from datasets.spec import case_marks, changed_cases, digest, usable_files

log = logging.getLogger(__name__)

State = Literal["missing", "mapped", "failed", "done"]


@dataclass(frozen=True)
class Scoring:
    """Names of the post-processing pipelines, threshold protocols and metrics to score with."""

    postprocessing: tuple[str, ...]
    protocols: tuple[str, ...]
    metrics: tuple[str, ...] = field(default_factory=scored)

    def on(self, grid: Grid) -> "Scoring":
        """The same on a grid: `none`, once, in place of every pipeline that has no effect there."""
        names = dict.fromkeys(pipeline_on(name, grid.spacing).name for name in self.postprocessing)
        return replace(self, postprocessing=tuple(names))

    def __or__(self, other: "Scoring") -> "Scoring":
        """What either of them names, each once."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return Scoring(*(tuple(dict.fromkeys([*ours, *theirs])) for ours, theirs in pairs))


def check_settings(run: RunFolder, study: Study) -> None:
    """Refuse to add a study to a run folder if one table must not compare the two.

    A study on validation cases may later add its test split to the same folder; the reverse is refused.

    Raises:
        BadValue: the folder holds a study on another grid, healthy cohort, sequence or limit, or on other data.
    """
    settings = _settings(study.cells)
    for name, value in _kept(run).get("settings", settings).items():
        fits = set(value) <= set(settings[name]) if name == "splits" else value == settings[name]
        if not fits:
            changes = ", ".join(_changes(run, study.files).values()) if name == "healthy" else ""
            told = f" The cohort differs ({changes})." if changes else ""
            raise BadValue(
                f"--out {run.root}: got a run with {name} {value}, expected {settings[name]} as in this command.{told} "
                "Choose another --out, so that one table compares like with like."
            )


def add_study(run: RunFolder, study: Study, scoring: Scoring, data: Path) -> None:
    """Add a study to a run folder, keeping its existing cells.

    Existing cells that one table must not hold beside the new ones leave the study, though their files remain: cells
    with the label of a new one, of a method with other hyper-parameters or of another revision, or of a cohort whose
    files changed; a warning names the cases that changed.
    """
    for name, changes in _changes(run, study.files).items():
        log.warning("%s differs from what this run was made of (%s): its old rows leave the tables.", name, changes)
    cells = [*(cell for cell in kept_cells(run) if not _rivals(cell, study)), *study.cells]
    datasets = {reference.cohort.dataset for reference in study.references}
    references = [*(one for one in kept_references(run) if one.cohort.dataset not in datasets), *study.references]
    write_json(
        run.study,
        {
            "format": FORMAT,
            "version": __version__,
            "data": str(data.resolve()),
            "settings": _settings(study.cells),
            "own": _own(cells),
            "scoring": asdict(scoring),
            "cells": [as_stored(cell) for cell in cells],
            "references": [as_stored(reference) for reference in references],
            "cases": _kept(run).get("cases", {}) | {name: case_marks(found) for name, found in study.files.items()},
            "skipped": {**_skipped(run, set(study.files)), **study.skipped},
        },
    )


def kept_cells(run: RunFolder) -> list[Cell]:
    return [cell_from_json(stored) for stored in _kept(run).get("cells", [])]


def kept_references(run: RunFolder) -> list[Reference]:
    return [reference_from_json(stored) for stored in _kept(run).get("references", [])]


def kept_scoring(run: RunFolder) -> Scoring:
    stored = read_json(run.study)["scoring"]
    return Scoring(tuple(stored["postprocessing"]), tuple(stored["protocols"]), tuple(stored["metrics"]))


def keep_scoring(run: RunFolder, scoring: Scoring) -> None:
    """Record what a run is scored with from now on."""
    write_json(run.study, {**_kept(run), "scoring": asdict(scoring)})


def reopen(run: RunFolder, data: Path | None) -> Study:
    """The whole study of a run folder, with its cases below `data` (default: the data folder it was run with).

    Raises:
        MissingData: the cohorts are not there.
        BadFile: their files differ from those that were mapped.
    """
    root = data or Path(read_json(run.study)["data"])
    cells = kept_cells(run)
    cohorts = {cell.cohort.dataset: cell.cohort for cell in cells}
    if data is not None:
        _move_own(cohorts, data)
    skipped = _skipped(run, set())
    files = {name: _files(name, root, cohort.sequence, skipped.get(name)) for name, cohort in cohorts.items()}
    for name, cohort in cohorts.items():
        found = digest(files[name])
        if found != cohort.digest:
            raise BadFile(
                f"{dataset(name).folder(root)}: got data with digest {found[:12]}, expected {cohort.digest[:12]}, that "
                f"of the maps in {run.root}. Scans, masks or splits have changed since "
                f"({_changes(run, files).get(name, 'of every case')}): choose another --out or give the old --data."
            )
    return Study(tuple(cells), tuple(kept_references(run)), files)


def record_cell(run: RunFolder, cell: Cell, outcome: Mapping[str, Any]) -> None:
    """Write the `cell.json` of a cell: its outcome, and how and where its maps were made if that is known already."""
    path = run.cell(cell) / "cell.json"
    before = read_json(path) if path.exists() else {}
    kept = {name: before[name] for name in ("inference", "environment") if name in before}
    content = {"cell": as_stored(cell), "format": FORMAT, "version": __version__, **kept, **outcome}
    write_json(path, content)


def cell_state(run: RunFolder, cell: Cell, scoring: Scoring) -> State:
    """`missing`; `failed`; `mapped`: it has maps; `done`: it has rows for all of `scoring`, too."""
    record = run.cell(cell) / "cell.json"
    if not record.exists():
        return "missing"
    if has_failed(run, cell):
        return "failed"
    if not (run.cell(cell) / "rows.csv").exists():
        return "mapped"
    known: Mapping[str, Mapping[str, object]] = read_json(record).get("scored", {})
    alike = (
        known.get(kind, {}).get(name) == definition
        for kind, wanted in definitions(scoring).items()
        for name, definition in wanted.items()
    )
    return "done" if all(alike) and not redefined(record) else "mapped"


def definitions(scoring: Scoring) -> dict[str, dict[str, Any]]:
    """What the names of a scoring stand for, as JSON keeps it: another definition under an old name is scored anew.

    Raises:
        UnknownName, BadValue: a name that nothing is called by, or a plugin that cannot be used.
    """
    kinds = asdict(scoring)
    return {kind: {name: _definition(kind, name) for name in names} for kind, names in kinds.items()}


def redefined(record: Path) -> list[str]:
    """What rows were made with that is of another revision, or otherwise another, by now; see `definitions`.

    Args:
        record: the `cell.json` or `reference.json` beside the rows; without one nothing is known of them.
    """
    stored = read_json(record) if record.is_file() else {}
    known: Mapping[str, Any] = stored.get("scored", stored)
    return [
        name
        for kind in ("postprocessing", "protocols", "metrics")
        for name, definition in known.get(kind, {}).items()
        if _is_known(kind, name) and _definition(kind, name) != definition
    ]


def _definition(kind: str, name: str) -> Any:
    whole: object
    if kind == "metrics":
        whole = METRICS[name].stamp
    else:
        whole = pipeline_named(name).in_key if kind == "postprocessing" else protocol_named(name).in_key
    return json.loads(json.dumps(whole))  # tuples as they come back from a file


def _is_known(kind: str, name: str) -> bool:
    """Whether anything is called so here: of a plugin that is gone, rows stay as they are."""
    try:
        _definition(kind, name)
    except UserError:
        return False
    return True


@contextmanager
def missing_plugins_named(run: RunFolder) -> Iterator[None]:
    """Name the distribution of a metric, protocol or post-processing that the run was scored with and that is gone.

    Raises:
        MissingData: instead of UnknownName, where the run's cells hold whose the name is.
    """
    try:
        yield
    except UnknownName as error:
        origin = _origins(run).get(error.name, "")
        if not origin:
            raise
        raise MissingData(
            f"{run.root}: this run was scored with '{error.name}' of {origin}, which is not installed here. "
            f"Install it: python -m pip install {'=='.join(origin.partition('+editable')[0].rsplit(' ', 1))}"
        ) from error


def _origins(run: RunFolder) -> dict[str, str]:
    """Whose the metrics, protocols and post-processings are that the cells were scored with; "" for a built-in."""
    found: dict[str, str] = {}
    for cell in kept_cells(run):
        record = run.cell(cell) / "cell.json"
        scored_with = read_json(record).get("scored", {}) if record.exists() else {}
        found |= {name: in_key[0] for name, in_key in scored_with.get("postprocessing", {}).items()}
        found |= {name: in_key["origin"] for name, in_key in scored_with.get("protocols", {}).items()}
        found |= {name: stamp.partition(" ")[2] for name, stamp in scored_with.get("metrics", {}).items()}
    return found


def has_failed(run: RunFolder, cell: Cell) -> bool:
    """Whether the last attempt at a cell raised an exception."""
    record = run.cell(cell) / "cell.json"
    return record.exists() and read_json(record)["status"] == "failed"


def joined_folders(run: RunFolder) -> dict[Path, list[str]]:
    """Folders whose rows make the tables of a run: those of cells that have not failed, and of perfect maps.

    Returns:
        Of each what is another by now than what its rows were made with, in which case they stay out of the tables.
    """
    cells = [cell for cell in kept_cells(run) if not has_failed(run, cell)]
    records = [run.cell(cell) / "cell.json" for cell in cells]
    records += [run.cell(reference) / "reference.json" for reference in kept_references(run)]
    return {record.parent: redefined(record) for record in records}


def has_maps(run: RunFolder, cell: Cell) -> bool:
    """Whether a cell has all its maps, even if scoring them failed."""
    record = run.cell(cell) / "cell.json"
    return record.exists() and read_json(record).get("stage") not in ("fit", "predict")


def _files(name: str, root: Path, sequence: str, skipped: Sequence[str] | None) -> Sequence[CaseFiles]:
    """The cases of a cohort without those that the run skips."""
    if skipped is None:
        return dataset(name).files(root, sequence)
    usable, _ = usable_files(dataset(name), root, sequence)
    return [one for one in usable if one.case_id not in skipped]


def _skipped(run: RunFolder, replaced: Collection[str]) -> dict[str, Sequence[str]]:
    """The cases that the stored study skips, by data set, except in those that are `replaced`."""
    return {name: cases for name, cases in _kept(run).get("skipped", {}).items() if name not in replaced}


def _changes(run: RunFolder, files: Mapping[str, Sequence[CaseFiles]]) -> dict[str, str]:
    """Which cases of each data set differ from those that the stored study was made of; without those where none does.

    A case that a --skip-bad left out on one side only counts as differing.
    """
    kept = _kept(run).get("cases", {})
    told = {name: changed_cases(kept[name], case_marks(found)) for name, found in files.items() if name in kept}
    return {name: changes for name, changes in told.items() if changes}


def _rivals(kept: Cell, study: Study) -> bool:
    """Whether a stored cell contradicts the new study: one label, method or cohort with two meanings."""
    own = (kept.fit.config, kept.fit.revision)
    configs = {cell.fit.method: (cell.fit.config, cell.fit.revision) for cell in study.cells}
    cohorts = {cell.cohort.dataset: cell.cohort for cell in study.cells}
    return (
        kept.label in {cell.label for cell in study.cells}
        or configs.get(kept.fit.method, own) != own
        or cohorts.get(kept.cohort.dataset, kept.cohort) != kept.cohort
    )


def _kept(run: RunFolder) -> Mapping[str, Any]:
    """The stored `study.json`; empty before the first `add_study`."""
    return read_json(run.study) if run.study.exists() else {}


def _move_own(names: Iterable[str], data: Path) -> None:
    """Use the copies in `data` of the user's own cohorts, if it has folders of their names."""
    for own in map(find_user_cohort, names):
        if own is not None and (data / own.name).is_dir():
            add_user_cohort(replace(own, home=(data / own.name).resolve()))


def _own(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """The user's own cohorts among those of `cells`, as `study.json` stores them."""
    names = sorted({one.dataset for cell in cells for one in (cell.cohort, *cell.fit.healthy_cohorts)})
    return [asdict(own) | {"home": str(own.home)} for own in map(find_user_cohort, names) if own is not None]


def _settings(cells: Sequence[Cell]) -> dict[str, Any]:
    """What all studies of one folder share; one healthy cohort stands by itself, several as a list."""
    cell, known = cells[0], {one: None for cell in cells for one in (cell.fit.healthy, *cell.fit.also_healthy)}
    healthy = [asdict(one) for one in sorted(known, key=lambda one: one.dataset)]
    settings = {
        "grid": asdict(cell.fit.grid),
        "healthy": healthy[0] if len(healthy) == 1 else healthy,
        "precision": cell.precision,
        "splits": cell.splits,
        "limit": cell.limit,
        "folds": cell.fit.folds,
    }
    return json.loads(json.dumps(settings))  # tuples as they come back from a file


def thresholds_of(run: RunFolder, cell: Cell) -> dict[tuple[str, str], float]:
    """The threshold of a scored cell for each pipeline and protocol; NaN where it is undefined."""
    rows = run.cell(cell) / "rows.csv"
    if not rows.exists():
        return {}
    with rows.open(newline="", encoding="utf-8") as stream:
        found = [row for row in csv.DictReader(stream) if row["metric"] == "threshold"]
        return {(row["postprocessing"], row["protocol"]): float(row["value"]) for row in found}

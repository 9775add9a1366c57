"""The records of a run folder: `study.json`, and the `cell.json` of each cell with its state and its files' digests."""

import csv
import hashlib
import json
import logging
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import cached_property, lru_cache
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Literal

from benchmark import __version__
from benchmark.metrics import METRICS, scored
from benchmark.postprocessing.pipelines import pipeline_named, pipeline_on
from benchmark.storage import checksums
from benchmark.storage.checksums import checked, digests_of, write_checksums
from benchmark.storage.folder import FORMAT, RunFolder, check_format
from benchmark.study.cells import Cell, Cohort, Reference, as_stored, cells_from_json, reference_from_json
from benchmark.study.protocols import protocol_named
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.cohorts.catalog import add_user_cohort, dataset, find_user_cohort
from datasets.errors import BadFile, BadValue, MissingData, UnknownName, UserError
from datasets.grid import Grid
from datasets.io.atomic import read_json, write_json
from datasets.io.files import file_facts, is_settled
from datasets.spec import case_marks, changed_cases, digest, usable_files

log = logging.getLogger(__name__)

ALL = "all"
State = Literal["missing", "mapped", "failed", "done"]
MAPPED = ("maps", "reconstructions", "seen.csv", "timing.csv")
"""What mapping leaves in a cell's folder, under its SHA256SUMS."""
SCORED = ("rows.csv", "pr.csv", "froc.csv", "lesions.csv", "strata.csv", "implants.csv")
"""What scoring leaves there, under the digests of its record."""


@dataclass(frozen=True)
class Scoring:
    """Names of the post-processing pipelines, threshold protocols and metrics to score with."""

    postprocessing: tuple[str, ...]
    protocols: tuple[str, ...]
    metrics: tuple[str, ...] = field(default_factory=scored)

    @cached_property
    def definitions(self) -> dict[str, dict[str, Any]]:
        """What the names stand for, as JSON keeps it: another definition under an old name is scored anew.

        Looked up once, since it is compared with the records of all cells of a run.

        Raises:
            UnknownName, BadValue: a name that nothing is called by, or a plugin that cannot be used.
        """
        return {kind: {name: _definition(kind, name) for name in names} for kind, names in asdict(self).items()}

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


def add_study(
    run: RunFolder, study: Study, scoring: Scoring, data: Path, asked: Mapping[str, Any] | None = None
) -> None:
    """Add a study to a run folder, keeping its existing cells.

    Existing cells that one table must not hold beside the new ones leave the study, though their files remain: cells
    with the label of a new one, of a method with other hyper-parameters or of another revision, or of a cohort whose
    files changed; a warning names the cases that changed.

    Args:
        asked: the options that the study was planned from, kept beside those of the studies before it.
    """
    for name, changes in _changes(run, study.files).items():
        log.warning("%s differs from what this run was made of (%s): its old rows leave the tables.", name, changes)
    cells = [*_without_rivals(kept_cells(run), study), *study.cells]
    datasets = {reference.cohort.dataset for reference in study.references}
    references = [*(one for one in kept_references(run) if one.cohort.dataset not in datasets), *study.references]
    write_json(
        run.study,
        {
            "format": FORMAT,
            "version": __version__,
            "data": str(data.resolve()),
            "asked": [*(one for one in asked_of(run) if one != asked), *([] if asked is None else [asked])],
            "settings": _settings(study.cells),
            "own": _own(cells),
            **_scoring(scoring),
            "pictures": _kept(run).get("pictures", [ALL]),
            "cells": [as_stored(cell) for cell in cells],
            "references": [as_stored(reference) for reference in references],
            "cases": _kept(run).get("cases", {}) | {name: case_marks(found) for name, found in study.files.items()},
            "skipped": {**_skipped(run, set(study.files)), **study.skipped},
        },
    )


def asked_of(run: RunFolder) -> list[Mapping[str, Any]]:
    """The options of each command that added a study to a run, the latest last."""
    return list(_kept(run).get("asked", []))


def kept_cells(run: RunFolder) -> list[Cell]:
    """The cells of a run's study; none before the first `add_study`."""
    return list(_stored_study(run)[1])


def kept_references(run: RunFolder) -> list[Reference]:
    return [reference_from_json(stored) for stored in _kept(run).get("references", [])]


def kept_scoring(run: RunFolder) -> Scoring:
    stored = _kept(run)["scoring"]
    return Scoring(tuple(stored["postprocessing"]), tuple(stored["protocols"]), tuple(stored["metrics"]))


def keep_scoring(run: RunFolder, scoring: Scoring) -> None:
    """Record what a run is scored with from now on."""
    before = {name: value for name, value in read_json(run.study).items() if name != "scored_by"}
    write_json(run.study, {**before, **_scoring(scoring)})


def keep_pictures(run: RunFolder, cohorts: Sequence[str] | None) -> None:
    """Record whose scans reports may show from now on: names of cohorts, or `ALL`; None leaves what is recorded.

    Raises:
        UnknownName: there is no such cohort.
    """
    if cohorts is not None:
        named = [name if name == ALL else dataset(name).name for name in cohorts]
        write_json(run.study, {**read_json(run.study), "pictures": named})


def kept_pictures(run: RunFolder) -> tuple[str, ...] | None:
    """The cohorts whose scans reports may show; None for all."""
    named = _kept(run).get("pictures", [ALL])
    return None if ALL in named else tuple(named)


def _scoring(scoring: Scoring) -> dict[str, Any]:
    """What `study.json` says of a scoring: its names, and whose those of plugins are, which run in this process."""
    made: dict[str, Any] = {name: METRICS[name] for name in scoring.metrics}
    made |= {name: protocol_named(name) for name in scoring.protocols}
    made |= {name: pipeline_named(name) for name in scoring.postprocessing}
    plugins = {name: f"{one.origin}{_installed_as(one.origin)}" for name, one in made.items() if one.origin}
    return {"scoring": asdict(scoring), **({"scored_by": plugins} if plugins else {})}


def _installed_as(origin: str) -> str:
    """A digest of a distribution's record of its files; "" of an editable one, whose origin has one of its code."""
    name = origin.partition("+editable")[0].rsplit(" ", 1)[0]
    record = distribution(name).read_text("RECORD") if "+editable" not in origin else None
    return f", files {hashlib.sha256(record.encode()).hexdigest()[:12]}" if record else ""


def check_data(run: RunFolder, study: Study, cohort: Cohort) -> None:
    """Refuse scans, masks or splits that were replaced since a study was planned.

    Raises:
        BadFile: the files of a cohort are not those that its digest stands for.
    """
    if digest(study.files[cohort.dataset]) != cohort.digest:
        told = _changes(run, {cohort.dataset: study.files[cohort.dataset]}).get(cohort.dataset, "which is not known")
        raise BadFile(
            f"{cohort.dataset}: got other scans, masks or splits than when this command began ({told}), expected them "
            "unchanged. Give the command again: what was made of them is made anew"
        )


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
    try:
        before = read_record(run, cell)
    except BadFile:
        before = {}
    kept: dict[str, Any] = {name: before[name] for name in ("inference", "environment", "files") if name in before}
    content = {"cell": as_stored(cell), "key": cell.key, "format": FORMAT, "version": __version__, **kept, **outcome}
    write_json(_record_path(run, cell), content)


def record_maps(run: RunFolder, cell: Cell, made: Mapping[str, Any]) -> None:
    """Record that a cell has all its maps, how they were `made`, and the digests of all that mapping has left."""
    folder = run.cell(cell)
    write_checksums(folder, MAPPED)
    record_cell(run, cell, {"status": "mapped", **made, "files": digests_of(folder, [checksums.NAME])})


def record_rows(run: RunFolder, what: Cell | Reference, scoring: Scoring) -> None:
    """Record what the rows of a cell or perfect map were scored with, and the digests of all that scoring has left."""
    scored_with, tables = scoring.definitions, digests_of(run.cell(what), SCORED)
    if isinstance(what, Reference):
        write_json(_record_path(run, what), {"key": what.key, "format": FORMAT, "scored": scored_with, "files": tables})
        return
    sums = {name: digest for name, digest in read_record(run, what)["files"].items() if name == checksums.NAME}
    record_cell(run, what, {"status": "mapped", "scored": scored_with, "files": {**sums, **tables}})


def read_record(run: RunFolder, what: Cell | Reference) -> dict[str, Any]:
    """What `cell.json` or `reference.json` says; empty where there is none.

    Raises:
        BadFile: it is damaged or of another cell, or the SHA256SUMS beside it is not the one that it names.
    """
    path = _record_path(run, what)
    if not (path.exists() or path.is_symlink()):
        return {}
    record: dict[str, Any] = read_json(path, mend=_mend(what))
    check_format(path, record)
    if record.get("key") != what.key:
        raise BadFile(f"{path}: got the record of cell {record.get('key')}, expected {what.key}. {_mend(what)}")
    if checksums.NAME in record.get("files", {}):
        checked(path.parent, checksums.NAME, record["files"], _mend(what))
    return record


def cell_record(run: RunFolder, cell: Cell) -> Mapping[str, Any]:
    """The same of a cell, whose damaged record counts as a failure to map it: so it is named, and `run` mends it."""
    try:
        return read_record(run, cell)
    except BadFile as error:
        return {"status": "failed", "stage": "predict", "traceback": str(error)}


def table_of(run: RunFolder, what: Cell | Reference, name: str) -> Path | None:
    """A table of a cell or perfect map as it was written; None where none was.

    Args:
        name: one of `SCORED`, or of the tables in `MAPPED`.

    Raises:
        BadFile: it is damaged, missing or another's.
    """
    return _table_among(read_record(run, what).get("files", {}), run, what, name)


def _table_among(digests: Mapping[str, str], run: RunFolder, what: Cell | Reference, name: str) -> Path | None:
    """The same by the digests in the record of the cell or perfect map."""
    if name in MAPPED and digests:
        digests = checksums.read_checksums(run.cell(what))
    return checked(run.cell(what), name, digests, _mend(what, name)) if name in digests else None


def kept_volume(run: RunFolder, cell: Cell, path: Path) -> Path:
    """The file of a cell's map or reconstruction as it was written.

    Raises:
        BadFile: it is damaged, missing or another's.
    """
    folder = run.cell(cell)
    mend = f"Have its cell named and mapped anew: python -m benchmark evaluate {run.root}, then run --rerun failed"
    return checked(folder, path.relative_to(folder).as_posix(), checksums.read_checksums(folder), mend)


def has_volume(run: RunFolder, cell: Cell, path: Path) -> bool:
    """Whether a map or reconstruction of a cell was written."""
    return path.relative_to(run.cell(cell)).as_posix() in checksums.read_checksums(run.cell(cell))


def cell_state(run: RunFolder, cell: Cell, scoring: Scoring, *, read_tables: bool = True) -> State:
    """`missing`; `failed`; `mapped`: it has maps; `done`: it has rows for all of `scoring`, too.

    Args:
        read_tables: whether a cell is done only if its tables are as they were scored.
    """
    record = cell_record(run, cell)
    if not record:
        return "missing"
    if record["status"] == "failed":
        return "failed"
    if "rows.csv" not in record.get("files", {}) or not (run.cell(cell) / "rows.csv").is_file():
        return "mapped"
    up_to_date = record.get("scored") == scoring.definitions or _has_scored(record, scoring)
    return "done" if up_to_date and not (read_tables and damaged_tables(run, cell)) else "mapped"


def _has_scored(record: Mapping[str, Any], scoring: Scoring) -> bool:
    """Whether rows have all of a scoring, perhaps beside more, and nothing of them is another by now."""
    known: Mapping[str, Mapping[str, object]] = record.get("scored", {})
    alike = (
        known.get(kind, {}).get(name) == definition
        for kind, wanted in scoring.definitions.items()
        for name, definition in wanted.items()
    )
    return all(alike) and not redefined(record)


def damaged_tables(run: RunFolder, what: Cell | Reference) -> list[str]:
    """A line for each table of a cell or perfect map that is not as it was written."""
    try:
        digests = read_record(run, what).get("files", {})
    except BadFile as error:
        return [str(error)]
    faults = []
    for name in ("timing.csv", *SCORED):
        try:
            _table_among(digests, run, what, name)
        except BadFile as error:
            faults.append(str(error))
    return faults


def _record_path(run: RunFolder, what: Cell | Reference) -> Path:
    return run.cell(what) / ("cell.json" if isinstance(what, Cell) else "reference.json")


def _mend(what: Cell | Reference, name: str = "") -> str:
    if name in SCORED or isinstance(what, Reference):
        return "Score it anew: python -m benchmark evaluate RUN"
    return "Map the cell anew: the command that made it, with --rerun failed"


def redefined(record: Mapping[str, Any]) -> list[str]:
    """What rows were made with that is of another revision, or otherwise another, by now.

    Args:
        record: of `read_record`.
    """
    known: Mapping[str, Any] = record.get("scored", {})
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
        scored_with = cell_record(run, cell).get("scored", {})
        found |= {name: in_key[0] for name, in_key in scored_with.get("postprocessing", {}).items()}
        found |= {name: in_key["origin"] for name, in_key in scored_with.get("protocols", {}).items()}
        found |= {name: stamp.partition(" ")[2] for name, stamp in scored_with.get("metrics", {}).items()}
    return found


def failure_of(run: RunFolder, cell: Cell) -> str:
    """Why the last attempt at a cell failed: the stage, and the last line of the traceback; "" if it did not."""
    record = cell_record(run, cell)
    if record.get("status") != "failed":
        return ""
    return f"in {record['stage']} ({record['traceback'].strip().splitlines()[-1].rstrip('.')})"


def has_failed(run: RunFolder, cell: Cell) -> bool:
    """Whether the last attempt at a cell raised an exception."""
    return cell_record(run, cell).get("status") == "failed"


def joined_folders(run: RunFolder) -> dict[Path, list[str]]:
    """Folders whose rows make the tables of a run: those of cells that have not failed, and of perfect maps.

    Returns:
        Of each why its rows stay out of the tables: what is another by now than what they were made with, or damaged.
    """
    folders, alike = dict[Path, list[str]](), dict[str, list[str]]()
    whole: list[Cell | Reference] = [*kept_cells(run), *kept_references(run)]
    for what in whole:
        try:
            record = read_record(run, what)
        except BadFile as error:
            folders[run.cell(what)] = [str(error)]
            continue
        if record and record.get("status") != "failed":
            made_with = json.dumps(record.get("scored"))
            if made_with not in alike:  # mostly the same in all cells
                alike[made_with] = redefined(record)
            names = alike[made_with]
            told = [f"its rows are of another {', '.join(names)} than this version's"] if names else []
            folders[run.cell(what)] = [*told, *damaged_tables(run, what)]
    return folders


def has_maps(run: RunFolder, cell: Cell) -> bool:
    """Whether a cell has all its maps, even if scoring them failed."""
    record = cell_record(run, cell)
    return bool(record) and record.get("stage") not in ("fit", "predict")


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


def _without_rivals(kept: Iterable[Cell], study: Study) -> Iterator[Cell]:
    """The stored cells that do not contradict the new study: one label, method or cohort with two meanings."""
    labels = {cell.label for cell in study.cells}
    configs = {cell.fit.method: (cell.fit.config, cell.fit.revision) for cell in study.cells}
    cohorts = {cell.cohort.dataset: cell.cohort for cell in study.cells}
    for cell in kept:
        own = (cell.fit.config, cell.fit.revision)
        if (
            cell.label not in labels
            and configs.get(cell.fit.method, own) == own
            and cohorts.get(cell.cohort.dataset, cell.cohort) == cell.cohort
        ):
            yield cell


def _kept(run: RunFolder) -> Mapping[str, Any]:
    """The stored `study.json` without its cells; empty before the first `add_study`."""
    return _stored_study(run)[0]


def _stored_study(run: RunFolder) -> tuple[Mapping[str, Any], Sequence[Cell]]:
    """The stored `study.json` without its cells, and these; read again only if the file may be another."""
    if not run.study.exists():
        return {}, ()
    facts = file_facts(run.study)
    return _known_study(run.study, facts) if is_settled(facts, time.time_ns()) else _read_study(run.study)


@lru_cache(maxsize=4)
def _known_study(path: Path, facts: tuple[int, ...]) -> tuple[Mapping[str, Any], Sequence[Cell]]:
    return _read_study(path)


def _read_study(path: Path) -> tuple[Mapping[str, Any], Sequence[Cell]]:
    whole = read_json(path)
    return whole, cells_from_json(whole.pop("cells", []))


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
    rows = table_of(run, cell, "rows.csv")
    if rows is None:
        return {}
    with rows.open(newline="", encoding="utf-8") as stream:
        found = [row for row in csv.DictReader(stream) if row["metric"] == "threshold"]
        return {(row["postprocessing"], row["protocol"]): float(row["value"]) for row in found}

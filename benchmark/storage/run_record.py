"""What a run folder says about itself: `study.json` and each cell's `cell.json`."""

import csv
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from benchmark import __version__
from benchmark.metrics import SCORED
from benchmark.storage.folder import FORMAT, RunFolder
from benchmark.study.cells import Cell, Reference, cell_from_json, reference_from_json
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.cohorts.catalog import add_own, dataset, find_own
from datasets.errors import BadFile, BadValue
from datasets.io.atomic import read_json, write_json
from datasets.spec import digest, usable_files

State = Literal["missing", "mapped", "failed", "done"]


@dataclass(frozen=True)
class Scoring:
    """Names of the post-processing chains, threshold protocols and metrics that make rows."""

    postprocessing: tuple[str, ...]
    protocols: tuple[str, ...]
    metrics: tuple[str, ...] = SCORED


def check_settings(run: RunFolder, study: Study) -> None:
    """Refuse to mix in one run folder what no table may compare.

    A study debugged on validation cases may open its test split in the same folder, but not close it.

    Raises:
        BadValue: the folder holds a study on another grid, healthy cohort, sequence, limit or data.
    """
    settings = _settings(study.cells[0])
    for name, value in _kept(run).get("settings", settings).items():
        fits = set(value) <= set(settings[name]) if name == "splits" else value == settings[name]
        if not fits:
            raise BadValue(
                f"--out {run.root}: got a run with {name} {value}, wanted {settings[name]} as asked for now. "
                "Choose another --out, so that one table compares like with like."
            )


def claim(run: RunFolder, study: Study, scoring: Scoring, data: Path) -> None:
    """Enter a study into a run folder, beside what the folder holds already.

    Kept cells that one table could not hold beside the new ones go out of the study (their files stay):
    namesakes, a method's cells under other hyper-parameters, and those of a cohort whose files have changed.
    """
    cells = [*(cell for cell in kept_cells(run) if not _rivals(cell, study)), *study.cells]
    datasets = {reference.cohort.dataset for reference in study.references}
    references = [*(one for one in kept_references(run) if one.cohort.dataset not in datasets), *study.references]
    write_json(
        run.study,
        {
            "format": FORMAT,
            "version": __version__,
            "data": str(data.resolve()),
            "settings": _settings(study.cells[0]),
            "own": _own(cells),
            "scoring": asdict(scoring),
            "cells": [asdict(cell) for cell in cells],
            "references": [asdict(reference) for reference in references],
            "skipped": {**_skipped(run, set(study.files)), **study.skipped},
        },
    )


def kept_cells(run: RunFolder) -> list[Cell]:
    return [cell_from_json(stored) for stored in _kept(run).get("cells", [])]


def kept_references(run: RunFolder) -> list[Reference]:
    return [reference_from_json(stored) for stored in _kept(run).get("references", [])]


def kept_scoring(run: RunFolder) -> Scoring:
    stored = read_json(run.study)["scoring"]
    return Scoring(tuple(stored["postprocessing"]), tuple(stored["protocols"]), tuple(stored.get("metrics", SCORED)))


def keep_scoring(run: RunFolder, scoring: Scoring) -> None:
    """Enter what a run is scored under from now on."""
    write_json(run.study, {**_kept(run), "scoring": asdict(scoring)})


def reopen(run: RunFolder, data: Path | None) -> Study:
    """The whole study of a run folder, its files found again below `data` (default: where they were).

    Raises:
        MissingData: the cohorts are not there.
        BadFile: they are not those the maps were made of.
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
                f"{dataset(name).folder(root)}: got data with digest {found[:12]}, wanted {cohort.digest[:12]}, that "
                f"of the maps in {run.root}. Scans, masks or splits have changed since: choose another --out or give "
                "the old --data."
            )
    return Study(tuple(cells), tuple(kept_references(run)), files)


def record_cell(run: RunFolder, cell: Cell, outcome: Mapping[str, Any]) -> None:
    """Write a cell's `cell.json`, which says what has become of it; how its maps were made stays in it."""
    path = run.cell(cell) / "cell.json"
    kept = {"inference": read_json(path).get("inference")} if path.exists() else {}
    content = {"cell": asdict(cell), "format": FORMAT, "version": __version__, **kept, **outcome}
    write_json(path, content)


def cell_state(run: RunFolder, cell: Cell, scoring: Scoring) -> State:
    """What is kept of a cell: nothing, its maps, a failure, or its rows under all of `scoring` too."""
    record = run.cell(cell) / "cell.json"
    if not record.exists():
        return "missing"
    if has_failed(run, cell):
        return "failed"
    wanted = {(chain, protocol) for chain in scoring.postprocessing for protocol in scoring.protocols}
    if not set(scoring.metrics) <= set(read_json(record).get("metrics", ())):
        return "mapped"
    return "done" if wanted <= thresholds_of(run, cell).keys() else "mapped"


def has_failed(run: RunFolder, cell: Cell) -> bool:
    """Whether the last attempt at a cell ended in an exception."""
    record = run.cell(cell) / "cell.json"
    return record.exists() and read_json(record)["status"] == "failed"


def has_maps(run: RunFolder, cell: Cell) -> bool:
    """Whether all maps of a cell are kept, even if scoring them failed."""
    record = run.cell(cell) / "cell.json"
    return record.exists() and read_json(record).get("stage") not in ("fit", "predict")


def _files(name: str, root: Path, sequence: str, skipped: Sequence[str] | None) -> Sequence[CaseFiles]:
    """A cohort's cases without those that the run has left out."""
    if skipped is None:
        return dataset(name).files(root, sequence)
    usable, _ = usable_files(dataset(name), root, sequence)
    return [one for one in usable if one.case_id not in skipped]


def _skipped(run: RunFolder, replaced: Collection[str]) -> dict[str, Sequence[str]]:
    """The cases that the folder's study leaves out of each dataset but those `replaced`."""
    return {name: cases for name, cases in _kept(run).get("skipped", {}).items() if name not in replaced}


def _rivals(kept: Cell, study: Study) -> bool:
    """Whether a kept cell would say something else under the name of one of the study's."""
    configs = {cell.fit.method: cell.fit.config for cell in study.cells}
    cohorts = {cell.cohort.dataset: cell.cohort for cell in study.cells}
    return (
        kept.label in {cell.label for cell in study.cells}
        or configs.get(kept.fit.method, kept.fit.config) != kept.fit.config
        or cohorts.get(kept.cohort.dataset, kept.cohort) != kept.cohort
    )


def _kept(run: RunFolder) -> Mapping[str, Any]:
    """The folder's study; empty where none has been claimed yet."""
    return read_json(run.study) if run.study.exists() else {}


def _move_own(names: Iterable[str], data: Path) -> None:
    """Look for cohorts of the user's own in `data` where it holds a folder of their name."""
    for own in map(find_own, names):
        if own is not None and (data / own.name).is_dir():
            add_own(replace(own, home=(data / own.name).resolve()))


def _own(cells: Iterable[Cell]) -> list[dict[str, Any]]:
    """The cohorts of the user's own among the cells', so that the run knows them by their names later."""
    names = sorted({name for cell in cells for name in (cell.cohort.dataset, cell.fit.healthy.dataset)})
    return [asdict(own) | {"home": str(own.home)} for own in map(find_own, names) if own is not None]


def _settings(cell: Cell) -> dict[str, Any]:
    settings = {
        "grid": asdict(cell.fit.grid),
        "healthy": asdict(cell.fit.healthy),
        "precision": cell.precision,
        "splits": cell.splits,
        "limit": cell.limit,
        "folds": cell.fit.folds,
    }
    return json.loads(json.dumps(settings))  # tuples as they come back from a file


def thresholds_of(run: RunFolder, cell: Cell) -> dict[tuple[str, str], float]:
    """A scored cell's threshold for each chain and protocol; each evaluation leaves one, if only NaN."""
    rows = run.cell(cell) / "rows.csv"
    if not rows.exists():
        return {}
    with rows.open(newline="", encoding="utf-8") as stream:
        found = [row for row in csv.DictReader(stream) if row["metric"] == "threshold"]
        return {(row["postprocessing"], row["protocol"]): float(row["value"]) for row in found}

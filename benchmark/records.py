"""What a run folder says about itself: `study.json` and each cell's `cell.json`."""

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark import __version__
from benchmark.metrics import SCORED
from benchmark.planning import Study
from benchmark.runfolder import FORMAT, RunFolder, read_json, write_json
from benchmark.study import Cell, Reference, cell_from_json, reference_from_json
from datasets.catalog import dataset
from datasets.errors import BadFile, BadValue
from datasets.spec import digest

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
            "scoring": asdict(scoring),
            "cells": [asdict(cell) for cell in cells],
            "references": [asdict(reference) for reference in references],
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
    files = {name: dataset(name).files(root, cohort.sequence) for name, cohort in cohorts.items()}
    for name, cohort in cohorts.items():
        found = digest(files[name])
        if found != cohort.digest:
            raise BadFile(
                f"{root / name}: got data with digest {found[:12]}, wanted {cohort.digest[:12]}, that of the maps in "
                f"{run.root}. Scans, masks or splits have changed since: choose another --out or give the old --data."
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
    return "done" if wanted <= _scored_choices(run.cell(cell) / "rows.csv") else "mapped"


def has_failed(run: RunFolder, cell: Cell) -> bool:
    """Whether the last attempt at a cell ended in an exception."""
    record = run.cell(cell) / "cell.json"
    return record.exists() and read_json(record)["status"] == "failed"


def has_maps(run: RunFolder, cell: Cell) -> bool:
    """Whether all maps of a cell are kept, even if scoring them failed."""
    record = run.cell(cell) / "cell.json"
    return record.exists() and read_json(record).get("stage") not in ("fit", "predict")


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


def _settings(cell: Cell) -> dict[str, Any]:
    settings = {
        "grid": asdict(cell.fit.grid),
        "healthy": asdict(cell.fit.healthy),
        "precision": cell.precision,
        "splits": cell.splits,
        "limit": cell.limit,
    }
    return json.loads(json.dumps(settings))  # tuples as they come back from a file


def _scored_choices(rows: Path) -> set[tuple[str, str]]:
    """Chain and protocol of every threshold in a table; each evaluation leaves one, if only NaN."""
    if not rows.exists():
        return set()
    with rows.open(newline="", encoding="utf-8") as stream:
        table = csv.DictReader(stream)
        return {(row["postprocessing"], row["protocol"]) for row in table if row["metric"] == "threshold"}

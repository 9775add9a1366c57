"""One run out of several: merge_runs with maps and fits, pool_tables with tables and data cards alone."""

import csv
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmark.execution.score_cells import collect
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import COLUMNS, read_rows, row_names
from benchmark.storage.run_record import ALL, cell_record, cell_state, kept_cells, kept_references, kept_scoring
from benchmark.storage.run_tables import has_table, keep_digests, read_run_record, run_table
from benchmark.study.cells import Cell, as_stored
from datasets.errors import BadValue
from datasets.io.atomic import read_json, write_json, written_whole
from datasets.spec import changed_cases

# Packages that numbers depend on; other processors and GPUs change them by rounding only.
SAME_EVERYWHERE = ("uadbench", "torch", "numpy", "scipy")


@dataclass(frozen=True)
class Merged:
    """What a merged run holds.

    Attributes:
        notes: a line for each cell that two runs hold with different rows.
    """

    cells: int
    fits: int
    notes: tuple[str, ...]


def merge_runs(runs: Sequence[RunFolder], out: RunFolder) -> Merged:
    """Copy the finished and failed cells, fits and references of `runs` into the empty folder `out`; join their rows.

    If several runs hold a cell, the first in which it is done is copied.

    Raises:
        BadValue: versions, settings, scoring, a method's hyper-parameters or a cohort's data differ, or `out` is a run.
    """
    if out.study.exists():
        raise BadValue(f"--out {out.root}: got a run, expected an empty folder.")
    _check_versions(runs)
    for name in ("settings", "scoring"):
        _check_same(name, {run.root: read_json(run.study)[name] for run in runs})
    _check_cells(runs)
    sources, notes = _sources(runs)
    fits = {path.parent.name: path.parent for run in reversed(runs) for path in run.root.glob("fits/*/fit.json")}
    cells = {name: run.root / "cells" / name for name, run in sources.items()}
    cells |= {one.name: run.cell(one) for run in reversed(runs) for one in kept_references(run)}
    for name, folder in fits.items():
        _copy(folder, out.root / "fits" / name)
    for name, folder in cells.items():
        if folder.exists():
            _copy(folder, out.root / "cells" / name)
    _write_origin(runs, out)
    write_json(out.study, _united_study(runs))
    collect(out)
    return Merged(len(sources), len(fits), tuple(notes))


def pool_tables(
    runs: Sequence[RunFolder], root: Path, names: Mapping[Path, NDArray[np.uint64]] | None = None
) -> RunFolder:
    """Write the studies, tables and data cards of `runs` into the folder `root`, each row once, without maps.

    Whatever compares the methods of a run then compares those of all `runs`.

    Args:
        runs: at least one; they agree where they overlap.
        root: emptied first.
        names: the `row_names` of tables that have been read already, by path; the other tables are read for theirs.
    """
    shutil.rmtree(root, ignore_errors=True)
    pool, known = RunFolder(root), names or {}
    write_json(pool.study, _united_study(runs))
    for table in ("rows.csv", "timing.csv"):
        parts = [run_table(run, table) for run in runs if has_table(run, table)]
        if parts:
            named = [known[part] if part in known else row_names(read_rows(part)) for part in parts]
            _write_joined(parts, named, pool.root / table)
            keep_digests(pool, [table])
    for card in (card for run in runs for card in run.root.glob("fits/*/card.json")):
        folder = root / "fits" / card.parent.name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(card, folder / card.name)
    return pool


def _united_study(runs: Sequence[RunFolder]) -> Mapping[str, Any]:
    """The `study.json` of all `runs`; where they differ in other than cells, the first decides."""
    studies = [read_json(run.study) for run in runs]
    cells = {cell.key: cell for run in runs for cell in kept_cells(run)}
    references = {one.key: one for run in runs for one in kept_references(run)}
    cases = {name: marks for study in reversed(studies) for name, marks in study.get("cases", {}).items()}
    skipped = {name: left for study in reversed(studies) for name, left in study.get("skipped", {}).items()}
    shown = [study["pictures"] for study in studies if ALL not in study.get("pictures", [ALL])]
    pictures = [name for name in shown[0] if all(name in one for one in shown)] if shown else [ALL]
    own = {one["name"]: one for study in reversed(studies) for one in study.get("own", [])}
    return {
        **studies[0],
        "settings": {**studies[0]["settings"], "splits": _union(study["settings"]["splits"] for study in studies)},
        "scoring": {name: _union(one["scoring"][name] for one in studies) for name in studies[0]["scoring"]},
        "pictures": pictures,
        "cells": [as_stored(cell) for cell in cells.values()],
        "references": [as_stored(one) for one in references.values()],
        "cases": cases,
        "skipped": skipped,
        "own": list(own.values()),
    }


def _union(lists: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in lists for name in names))


def _write_joined(parts: Sequence[Path], names: Sequence[NDArray[np.uint64]], whole: Path) -> None:
    """Write one table of rows out of several, numbers as they are written: the first row of each name, in order."""
    repeated = np.split(pd.Series(np.concatenate(names)).duplicated().to_numpy(), np.cumsum(list(map(len, names)))[:-1])
    with written_whole(whole) as beside, beside.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for part, again in zip(parts, repeated, strict=True):
            with part.open(newline="", encoding="utf-8") as lines:
                next(lines)  # the heading
                if again.any() or not _ends_a_line(part):
                    written = filter(None, csv.reader(lines))  # blank lines have no name
                    writer.writerows(compress(written, ~again))
                else:
                    shutil.copyfileobj(lines, stream)


def _ends_a_line(path: Path) -> bool:
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def _check_versions(runs: Sequence[RunFolder]) -> None:
    for package in SAME_EVERYWHERE:
        _check_same(f"version of {package}", {run.root: _versions(run).get(package, "") for run in runs})
    records = {run.cell(cell) / "cell.json": cell_record(run, cell) for run in runs for cell in kept_cells(run)}
    _check_same("version of uadbench", {path: one["version"] for path, one in records.items() if "version" in one})


def _versions(run: RunFolder) -> Mapping[str, str]:
    """Versions by package, without the names of builds such as +cpu."""
    versions = read_run_record(run, "environment.json") or {"uadbench": read_json(run.study)["version"]}
    return {name: str(value).partition("+")[0] for name, value in versions.items()}


def _check_same(what: str, values: Mapping[Path, Any]) -> None:
    """Refuse a second value; the message names it and the first."""
    first = next(iter(values.items()), None)
    for path, value in values.items():
        if first is not None and value != first[1]:
            raise BadValue(
                f"merge: got {what} {first[1]} in {first[0]} and {value} in {path}, expected the same in all."
            )


def _check_cells(runs: Sequence[RunFolder]) -> None:
    """One table compares like with like: a method under one configuration, a cohort in one state."""
    configs: dict[str, dict[Path, Any]] = {}
    digests: dict[str, dict[Path, Any]] = {}
    for run in runs:
        for cell in kept_cells(run):
            configs.setdefault(cell.fit.method, {})[run.root] = [
                dict(cell.fit.config),
                cell.fit.origin,
                cell.fit.revision,
            ]
            digests.setdefault(cell.cohort.dataset, {})[run.root] = cell.cohort.digest
    for method, values in configs.items():
        _check_same(f"hyper-parameters, version and revision of '{method}'", values)
    for dataset, values in digests.items():
        changes = _changed_cases(dataset, list(values))
        _check_same(f"data of '{dataset}'{f' ({changes})' if changes else ''}, by digest,", values)


def _changed_cases(dataset: str, roots: Sequence[Path]) -> str:
    """Which cases of a data set differ between the first of some runs and the first that differs; "" for none."""
    first, *others = (read_json(RunFolder(root).study).get("cases", {}).get(dataset, {}) for root in roots)
    return next((changes for other in others if (changes := changed_cases(first, other))), "")


def _sources(runs: Sequence[RunFolder]) -> tuple[dict[str, RunFolder], list[str]]:
    """The run that each cell is copied from, by the cell's name, and a note for each cell that two runs differ on."""
    sources: dict[str, RunFolder] = {}
    notes: list[str] = []
    for run in runs:
        for cell in kept_cells(run):
            first = sources.get(cell.name)
            if first is None or (not _done(first, cell) and _done(run, cell)):
                sources[cell.name] = run
            elif _done(run, cell) and _rows(run, cell) != _rows(first, cell):
                notes.append(f"{cell.name}: rows of {first.root} taken, those of {run.root} differ (another device?).")
    return sources, notes


def _done(run: RunFolder, cell: Cell) -> bool:
    return cell_state(run, cell, kept_scoring(run)) == "done"


def _rows(run: RunFolder, cell: Cell) -> bytes:
    return (run.cell(cell) / "rows.csv").read_bytes()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", "checkpoints"))


def _write_origin(runs: Sequence[RunFolder], out: RunFolder) -> None:
    """What audits have found, and where each run was computed."""
    audits = [read_run_record(run, "audit.json") for run in runs]
    if any(audits):
        write_json(out.root / "audit.json", {key: findings for audit in audits for key, findings in audit.items()})
    environments = {str(run.root): read_run_record(run, "environment.json") for run in runs}
    write_json(out.root / "environment.json", next(iter(environments.values())))
    write_json(out.root / "merged.json", {"runs": environments})

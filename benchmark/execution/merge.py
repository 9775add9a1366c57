"""merge_runs: one run of the parts of a study that several machines have made."""

import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmark.execution.score_cells import collect
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import cell_state, kept_cells, kept_references, kept_scoring
from benchmark.study.cells import Cell
from datasets.errors import BadValue
from datasets.io.atomic import read_json, write_json

# What a number goes through; other processors and GPUs change it by rounding only.
SAME_EVERYWHERE = ("uadbench", "torch", "numpy", "scipy")


@dataclass(frozen=True)
class Merged:
    """What a merged run holds; `notes` name the cells that two runs had made differently."""

    cells: int
    fits: int
    notes: tuple[str, ...]


def merge_runs(runs: Sequence[RunFolder], out: RunFolder) -> Merged:
    """Copy finished and failed cells, fits and references of `runs` into `out`, which is empty, and join their rows.

    Of a cell that several runs have, the first that is done is taken.

    Raises:
        BadValue: versions, settings, scoring, a method's configuration or a cohort's data differ, or `out` is a run.
    """
    if out.study.exists():
        raise BadValue(f"--out {out.root}: got a run, wanted an empty folder.")
    _check_versions(runs)
    for name in ("settings", "scoring"):
        _check_same(name, {run.root: read_json(run.study)[name] for run in runs})
    _check_cells(runs)
    chosen, notes = _chosen(runs)
    fits = {path.parent.name: path.parent for run in reversed(runs) for path in run.root.glob("fits/*/fit.json")}
    references = {one.name: run.cell(one) for run in reversed(runs) for one in kept_references(run)}
    for name, folder in fits.items():
        _copy(folder, out.root / "fits" / name)
    for name, folder in {**{cell: run.root / "cells" / cell for cell, run in chosen.items()}, **references}.items():
        if folder.exists():
            _copy(folder, out.root / "cells" / name)
    _write_records(runs, out)
    collect(out)
    return Merged(len(chosen), len(fits), tuple(notes))


def _check_versions(runs: Sequence[RunFolder]) -> None:
    for package in SAME_EVERYWHERE:
        _check_same(f"version of {package}", {run.root: _environment(run).get(package, "") for run in runs})
    made = {run.cell(cell) / "cell.json": run for run in runs for cell in kept_cells(run)}
    _check_same("version of uadbench", {path: read_json(path)["version"] for path in made if path.exists()})


def _environment(run: RunFolder) -> Mapping[str, str]:
    """Versions without what names a build, such as +cpu."""
    path = run.root / "environment.json"
    found = read_json(path) if path.exists() else {"uadbench": read_json(run.study)["version"]}
    return {name: str(value).partition("+")[0] for name, value in found.items()}


def _check_same(what: str, found: Mapping[Path, Any]) -> None:
    """Refuse a second value, naming it and the first."""
    first = next(iter(found.items()), None)
    for path, value in found.items():
        if first is not None and value != first[1]:
            raise BadValue(f"merge: got {what} {first[1]} in {first[0]} and {value} in {path}, wanted the same in all.")


def _check_cells(runs: Sequence[RunFolder]) -> None:
    """One table compares like with like: a method under one configuration, a cohort in one state."""
    configs: dict[str, dict[Path, Any]] = {}
    digests: dict[str, dict[Path, Any]] = {}
    for run in runs:
        for cell in kept_cells(run):
            configs.setdefault(cell.fit.method, {})[run.root] = [dict(cell.fit.config), cell.fit.origin]
            digests.setdefault(cell.cohort.dataset, {})[run.root] = cell.cohort.digest
    for method, found in configs.items():
        _check_same(f"hyper-parameters of '{method}'", found)
    for dataset, marks in digests.items():
        _check_same(f"data of '{dataset}', by digest,", marks)


def _chosen(runs: Sequence[RunFolder]) -> tuple[dict[str, RunFolder], list[str]]:
    """Every cell with the run it is taken from, and where two runs do not agree on it."""
    chosen: dict[str, RunFolder] = {}
    notes: list[str] = []
    for run in runs:
        for cell in kept_cells(run):
            before = chosen.get(cell.name)
            if before is None or (not _done(before, cell) and _done(run, cell)):
                chosen[cell.name] = run
            elif _done(run, cell) and _rows(run, cell) != _rows(before, cell):
                notes.append(f"{cell.name}: rows of {before.root} taken, those of {run.root} differ (another device?).")
    return chosen, notes


def _done(run: RunFolder, cell: Cell) -> bool:
    return cell_state(run, cell, kept_scoring(run)) == "done"


def _rows(run: RunFolder, cell: Cell) -> bytes:
    return (run.cell(cell) / "rows.csv").read_bytes()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, ignore=shutil.ignore_patterns(".*", "checkpoints"))


def _write_records(runs: Sequence[RunFolder], out: RunFolder) -> None:
    studies = [read_json(run.study) for run in runs]
    cells = {cell.name: cell for run in runs for cell in kept_cells(run)}
    references = {one.name: one for run in runs for one in kept_references(run)}
    first_wins = reversed(studies)
    skipped = {name: cases for study in first_wins for name, cases in study.get("skipped", {}).items()}
    audits = [read_json(run.root / "audit.json") for run in runs if (run.root / "audit.json").exists()]
    if audits:
        write_json(out.root / "audit.json", {key: found for audit in audits for key, found in audit.items()})
    environments = {str(run.root): _kept_environment(run) for run in runs}
    write_json(out.root / "environment.json", next(iter(environments.values())))
    write_json(out.root / "merged.json", {"runs": environments})
    content = {"cells": [asdict(one) for one in cells.values()], "skipped": skipped}
    content |= {"references": [asdict(one) for one in references.values()], "own": _own(studies)}
    write_json(out.study, {**studies[0], **content})


def _own(studies: Iterable[Mapping[str, Any]]) -> list[Any]:
    own: dict[str, Any] = {}
    for study in studies:
        for one in study.get("own", []):
            own.setdefault(one["name"], one)
    return list(own.values())


def _kept_environment(run: RunFolder) -> Any:
    path = run.root / "environment.json"
    return read_json(path) if path.exists() else {}

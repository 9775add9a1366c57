"""Rows for all kept maps of a study; imports no torch."""

import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmark.datacard import sees_labels
from benchmark.evaluation import evaluate_cell, evaluate_reference, healthy_scores
from benchmark.implants import keep_trials, summarise
from benchmark.planning import Study
from benchmark.records import (
    Scoring,
    cell_state,
    has_failed,
    has_maps,
    keep_scoring,
    kept_cells,
    kept_references,
    record_cell,
    thresholds_of,
)
from benchmark.results import join_rows, kept_rows, write_rows
from benchmark.runfolder import RunFolder
from benchmark.storage import storage_trouble
from benchmark.study import Cell, Fit, Reference
from datasets.errors import BadFile

Say = Callable[[str], None]


def evaluate_study(study: Study, run: RunFolder, scoring: Scoring, say: Say) -> list[Cell]:
    """Recompute every row from kept maps; the cells that could not be scored are returned."""
    keep_scoring(run, scoring)
    failed = [cell for cell in study.cells if not has_maps(run, cell)]
    for cell in failed:
        say(f"  no maps of {cell.fit.method} on {cell.where} (seed {cell.fit.seed})")
    for fit in study.fits:
        kept = [cell for cell in study.cells_of(fit) if cell not in failed]
        failed += score_fit(study, run, scoring, fit, kept, say)
    score_references(study, run, scoring)
    collect(run)
    return failed


def score_fit(study: Study, run: RunFolder, scoring: Scoring, fit: Fit, cells: Sequence[Cell], say: Say) -> list[Cell]:
    """Score some cells of one fit; those that failed are returned, their tracebacks left in `cell.json`.

    A map that cannot be read counts as a failure of "predict": it has to be made anew.
    """
    failed = list[Cell]()
    for shift in dict.fromkeys(cell.shift for cell in study.cells_of(fit)):  # unshifted ones first
        under = [cell for cell in cells if cell.shift == shift]
        if under:
            failed += _score_shift(study, run, scoring, study.healthy_cell(fit, shift), under, say)
    return failed


def _score_shift(
    study: Study, run: RunFolder, scoring: Scoring, reference: Cell, cells: Sequence[Cell], say: Say
) -> list[Cell]:
    """Score cells of one fit under one shift; `reference` has the maps of healthy scans under it."""
    fit, failed = reference.fit, list[Cell]()
    if not has_maps(run, reference):
        say(f"  not scored: no maps of {fit.method} on its healthy cohort {reference.where}")
        return list(cells)
    try:
        # Maps made of lesion labels say nothing of healthy scans: no threshold can be taken from these.
        healthy_cases = [] if sees_labels(run, fit) else study.mapped_cases(reference)
        normal = healthy_scores(run, reference, healthy_cases, scoring.postprocessing)
    except Exception as error:
        fail(run, reference, _stage(error), say)
        return list(cells)
    for cell in cells:
        if cell != cell.unshifted and cell_state(run, cell.unshifted, scoring) != "done":
            say(f"  not scored: no threshold to freeze for {fit.method} on {cell.where}")
            failed.append(cell)
            continue
        try:
            files = study.mapped_cases(cell)
            frozen = None if cell == cell.unshifted else thresholds_of(run, cell.unshifted)
            rows = evaluate_cell(run, cell, files, normal, scoring.protocols, frozen)
            keep_trials(run, cell, rows, files)
            write_rows(run.cell(cell) / "rows.csv", rows)
            record_cell(run, cell, {"status": "mapped"})
            say(f"  scored {fit.method} on {cell.where}: {len(rows)} rows")
        except Exception as error:
            fail(run, cell, _stage(error), say)
            failed.append(cell)
    return failed


def score_references(study: Study, run: RunFolder, scoring: Scoring) -> None:
    """What the truth itself scores; it is the same for all methods."""
    for reference in study.references:
        rows = evaluate_reference(reference, study.mapped_cases(reference), scoring.postprocessing)
        write_rows(run.cell(reference) / "rows.csv", rows)


def score_missing_references(study: Study, run: RunFolder, scoring: Scoring) -> None:
    """The same where it is not kept yet under just these chains."""
    missing = [one for one in study.references if _chains(run, one) != set(scoring.postprocessing)]
    score_references(replace(study, references=tuple(missing)), run, scoring)


def _chains(run: RunFolder, reference: Reference) -> set[str]:
    """The post-processing chains that a reference's kept rows are under."""
    rows = run.cell(reference) / "rows.csv"
    return {row.postprocessing for row in kept_rows(rows)} - {""} if rows.exists() else set()


def collect(run: RunFolder) -> None:
    """Join the rows of a run's finished cells into its `rows.csv` and `timing.csv`, and sum implants up.

    What a failed cell has left of an earlier success stays in its folder and out of the tables.
    """
    finished = [cell for cell in kept_cells(run) if not has_failed(run, cell)]
    folders = [run.cell(cell) for cell in finished]
    folders += [run.cell(reference) for reference in kept_references(run)]
    for table in ("rows.csv", "timing.csv"):
        join_rows([folder / table for folder in folders if (folder / table).exists()], run.root / table)
    summarise(run, finished)


def _stage(error: Exception) -> str:
    return "predict" if isinstance(error, BadFile) else "evaluate"


def fail(run: RunFolder, cell: Cell, stage: str, say: Say) -> None:
    """Leave the traceback in the cell; called while an exception is handled.

    One that says that nothing can be written is passed on: no method is at fault.
    """
    if storage_trouble(sys.exception()):
        raise
    trace = traceback.format_exc()
    record_cell(run, cell, {"status": "failed", "stage": stage, "traceback": trace})
    say(f"  FAILED {cell.fit.method} on {cell.where} ({stage}): {trace.strip().splitlines()[-1]}")

"""Rows for all kept maps of a study; imports no torch."""

import traceback
from collections.abc import Callable, Sequence

from benchmark.datacard import sees_labels
from benchmark.evaluation import Choices, Source, evaluate_cell, evaluate_reference, healthy_scans, lesion_thresholds
from benchmark.planning import Study
from benchmark.records import (
    Scoring,
    has_failed,
    has_maps,
    keep_scoring,
    kept_cells,
    kept_references,
    record_cell,
)
from benchmark.results import join_rows, write_rows
from benchmark.runfolder import RunFolder
from benchmark.study import Cell, Fit
from benchmark.thresholds import protocol_named
from datasets.errors import BadFile
from datasets.shifts import Shift

Say = Callable[[str], None]


def evaluate_study(study: Study, run: RunFolder, scoring: Scoring, say: Say) -> list[Cell]:
    """Recompute every row from kept maps; the cells that could not be scored are returned."""
    keep_scoring(run, scoring)
    failed = [cell for cell in study.cells if not has_maps(run, cell)]
    for cell in failed:
        say(f"  no maps of {cell.fit.method} on {cell.cohort.dataset} (seed {cell.fit.seed})")
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
    if not cells:
        return []
    reference, failed = study.healthy_cell(fit), []
    if not has_maps(run, reference):
        say(f"  not scored: no maps of {fit.method} on its healthy cohort {reference.cohort.dataset}")
        return list(cells)
    try:
        # Maps made of lesion labels say nothing of healthy scans: no threshold can be taken from these.
        healthy_cases = [] if sees_labels(run, fit) else study.mapped_cases(reference)
        healthy = healthy_scans(run, reference, healthy_cases, scoring.postprocessing)
        sources = _sources(study, run, scoring, fit)
    except Exception as error:
        fail(run, reference, _stage(error), say)
        return list(cells)
    choices = Choices(healthy, scoring.protocols, sources, scoring.metrics)
    for cell in cells:
        try:
            count = write_rows(run.cell(cell) / "rows.csv", evaluate_cell(run, cell, study.mapped_cases(cell), choices))
            record_cell(run, cell, {"status": "mapped"})
            say(f"  scored {fit.method} on {cell.cohort.dataset}: {count} rows")
        except Exception as error:
            fail(run, cell, _stage(error), say)
            failed.append(cell)
    return failed


def score_references(study: Study, run: RunFolder, scoring: Scoring) -> None:
    """What the truth itself scores; it is the same for all methods."""
    for reference in study.references:
        rows = evaluate_reference(reference, study.mapped_cases(reference), scoring.postprocessing, scoring.metrics)
        write_rows(run.cell(reference) / "rows.csv", rows)


def collect(run: RunFolder) -> None:
    """Join the rows of a run's finished cells into its `rows.csv` and `timing.csv`.

    What a failed cell has left of an earlier success stays in its folder and out of the tables.
    """
    folders = [run.cell(cell) for cell in kept_cells(run) if not has_failed(run, cell)]
    folders += [run.cell(reference) for reference in kept_references(run)]
    for table in ("rows.csv", "timing.csv"):
        join_rows([folder / table for folder in folders if (folder / table).exists()], run.root / table)


def _sources(study: Study, run: RunFolder, scoring: Scoring, fit: Fit) -> dict[str, Source]:
    """Thresholds of the cohorts that a protocol transfers from, as far as the fit has maps of them."""
    cohorts = {protocol_named(name).cohort for name in scoring.protocols} - {""}
    cells = {cell.cohort.dataset: cell for cell in study.cells_of(fit) if cell.shift == Shift() and has_maps(run, cell)}
    return {
        name: Source(
            cells[name].cohort.digest,
            lesion_thresholds(run, cells[name], study.mapped_cases(cells[name]), scoring.postprocessing),
        )
        for name in sorted(cohorts & cells.keys())
    }


def _stage(error: Exception) -> str:
    return "predict" if isinstance(error, BadFile) else "evaluate"


def fail(run: RunFolder, cell: Cell, stage: str, say: Say) -> None:
    """Leave the traceback in the cell; called while an exception is handled."""
    trace = traceback.format_exc()
    record_cell(run, cell, {"status": "failed", "stage": stage, "traceback": trace})
    say(f"  FAILED {cell.fit.method} on {cell.cohort.dataset} ({stage}): {trace.strip().splitlines()[-1]}")

"""Scoring the maps of a run: rows of each cell, then the tables of the run; imports no torch."""

import logging
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace

from benchmark.analysis.implants import TABLES, join_trials, with_trials
from benchmark.inference.cpu import return_freed_memory
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.postprocessing.scores import HealthyResiduals
from benchmark.scoring.evaluation import evaluate_cell, evaluate_reference, healthy_scans, lesion_thresholds
from benchmark.scoring.kept_maps import maps_are_residuals
from benchmark.scoring.settings import Settings, Source, settings_named
from benchmark.storage.fits import LABELS, card_of_finished
from benchmark.storage.folder import RunFolder
from benchmark.storage.locks import lock
from benchmark.storage.maps import has_residuals, read_residuals
from benchmark.storage.rows import COLUMNS, write_rows
from benchmark.storage.run_record import (
    Scoring,
    cell_state,
    has_maps,
    joined_folders,
    keep_scoring,
    kept_cells,
    read_record,
    record_cell,
    record_rows,
    table_of,
    thresholds_of,
)
from benchmark.storage.run_tables import TABLES_LOCK, keep_digests
from benchmark.storage.storage_errors import storage_problem
from benchmark.study.cells import Cell, Fit, Reference
from benchmark.study.study import Study
from datasets.errors import BadFile, MissingData
from datasets.io.atomic import sweep
from datasets.io.tables import join_tables
from datasets.words import count_text

log = logging.getLogger(__name__)

JOINED = ("rows.csv", "timing.csv")


def evaluate_study(study: Study, run: RunFolder, scoring: Scoring) -> list[Cell]:
    """Recompute all rows from stored maps; the cells that could not be scored are returned.

    Raises:
        MissingData: a score needs the healthy residuals of a fit, and they have not been made.
    """
    check_residuals(study, run, scoring)
    keep_scoring(run, scoring)
    failed = [cell for cell in study.cells if not has_maps(run, cell)]
    for cell in failed:
        log.info("  no maps of %s on %s (seed %d)", cell.fit.method, cell.where, cell.fit.seed)
    for fit in study.fits:
        kept = [cell for cell in study.cells_of(fit) if cell not in failed]
        failed += score_fit(study, run, scoring, fit, kept)
    score_references(study, run, scoring)
    return_freed_memory()
    collect(run)
    return failed


def score_fit(study: Study, run: RunFolder, scoring: Scoring, fit: Fit, cells: Sequence[Cell]) -> list[Cell]:
    """Score some cells of one fit; those that failed are returned, with their tracebacks in `cell.json`.

    If a map cannot be read the cell failed in "predict", so that the map is computed again.
    """
    failed = list[Cell]()
    for shift in dict.fromkeys(cell.shift for cell in study.cells_of(fit)):  # unshifted ones first
        under = [cell for cell in cells if cell.shift == shift]
        if under:
            failed += _score_shift(study, run, scoring, study.healthy_cells(fit, shift), under)
    return failed


def _score_shift(
    study: Study, run: RunFolder, scoring: Scoring, references: Sequence[Cell], cells: Sequence[Cell]
) -> list[Cell]:
    """Score cells of one fit under one shift; `references` are the cells of healthy scans under that shift."""
    fit, failed = cells[0].fit, list[Cell]()
    for reference in references:
        if not has_maps(run, reference):
            log.info("  not scored: no maps of %s on its healthy cohort %s", fit.method, reference.where)
            return list(cells)
    try:
        # Maps made from lesion labels hold no information about healthy scans: they give no threshold.
        labelled = card_of_finished(run, fit).supervision == LABELS
        known = [] if labelled else [(one, study.mapped_cases(one)) for one in references]
        named = settings_named(scoring.postprocessing, scoring.protocols, scoring.metrics)
        named = _rescored(study, run, named, cells[0])
        healthy = healthy_scans(run, known, named)
        settings = replace(named, healthy=healthy, sources=_sources(study, run, named, cells[0]))
    except Exception as error:
        for one in references or cells:
            record_failure(run, one, _stage(error))
        return list(cells)
    _log_too_few_scans(settings, fit)
    for cell in cells:
        if cell != cell.unshifted and cell_state(run, cell.unshifted, scoring) != "done":
            log.info("  not scored: no threshold to freeze for %s on %s", fit.method, cell.where)
            failed.append(cell)
            continue
        try:
            files = study.mapped_cases(cell)
            frozen = None if cell == cell.unshifted else thresholds_of(run, cell.unshifted)
            rows = evaluate_cell(run, cell, files, replace(settings, frozen=frozen))
            count = write_rows(run.cell(cell) / "rows.csv", with_trials(run, cell, rows, files))
            record_rows(run, cell, scoring)
            log.info("  scored %s on %s: %s", fit.method, cell.where, count_text(count, "row"))
        except Exception as error:
            record_failure(run, cell, _stage(error))
            failed.append(cell)
    return failed


def check_residuals(study: Study, run: RunFolder, scoring: Scoring) -> None:
    """Refuse a score that needs the residuals of healthy training scans where they have not been made.

    Raises:
        MissingData: of which fit, and the command that makes them.
    """
    scores = [pipeline_named(name).score for name in scoring.postprocessing]
    if any(score is not None and score.needs_healthy for score in scores):
        for cell in residual_cells(study, run):
            _residuals(run, cell)


def _residuals(run: RunFolder, cell: Cell) -> HealthyResiduals:
    folder = run.healthy_residuals(cell)
    if not has_residuals(folder):
        raise MissingData(
            f"{folder}: got no residuals of healthy training scans, expected those that a score needs. Make them, by "
            f"mapping each fit's training scans once: python -m benchmark residuals {run.root}"
        )
    return read_residuals(folder)


def residual_cells(study: Study, run: RunFolder) -> list[Cell]:
    """The cells that healthy residuals are kept beside: each fit's of its healthy cohort without shift.

    Those of methods whose maps are no residuals are left out, and those without maps.
    """
    own = [cell for cell in study.cells if cell.cohort == cell.fit.healthy and cell == cell.unshifted]
    return [cell for cell in own if has_maps(run, cell) and _has_residual_maps(study, run, cell)]


def _has_residual_maps(study: Study, run: RunFolder, cell: Cell) -> bool:
    return any(maps_are_residuals(run, cell, one) for one in study.mapped_cases(cell)[:1])


def _rescored(study: Study, run: RunFolder, settings: Settings, reference: Cell) -> Settings:
    """With what the scores need; without any score for a method whose maps are no residuals."""
    if not settings.scores:
        return settings
    if not _has_residual_maps(study, run, reference):
        names = ", ".join(score.name for score in settings.scores)
        log.info("  %s: n/a for %s, whose map is not |image - reconstruction|", names, reference.fit.method)
        return replace(settings, pipelines=[one for one in settings.pipelines if one.score is None])
    if not any(score.needs_healthy for score in settings.scores):
        return settings
    beside = next(
        one for one in residual_cells(study, run) if one.fit == reference.fit and one.shift == reference.unshifted.shift
    )
    return replace(settings, residuals=_residuals(run, beside))


def score_references(study: Study, run: RunFolder, scoring: Scoring) -> None:
    """Score perfect maps (ground truth sent through the post-processing); the same for all methods."""
    settings = settings_named(scoring.postprocessing, (), scoring.metrics)
    for reference in study.references:
        rows = evaluate_reference(reference, study.mapped_cases(reference), settings)
        write_rows(run.cell(reference) / "rows.csv", rows)
        record_rows(run, reference, replace(scoring, protocols=()))


def score_missing_references(study: Study, run: RunFolder, scoring: Scoring) -> None:
    """Score those perfect maps that have no rows for this scoring yet."""
    missing = [one for one in study.references if not _is_scored(run, one, scoring)]
    score_references(replace(study, references=tuple(missing)), run, scoring)


def _is_scored(run: RunFolder, reference: Reference, scoring: Scoring) -> bool:
    """Whether its rows are there, whole, and made with all of a scoring but the protocols, which they do not need."""
    try:
        known, rows = read_record(run, reference).get("scored"), table_of(run, reference, "rows.csv")
    except BadFile:
        return False
    return rows is not None and known == replace(scoring, protocols=()).definitions


def collect(run: RunFolder) -> None:
    """Join the rows of finished cells into `rows.csv` and `timing.csv` of the run, and summarise implants.

    Rows that a failed cell has from an earlier success are not joined, nor rows of another revision than this
    version's of anything that they were scored with; a warning names it.
    """
    with lock(run, TABLES_LOCK):  # reading inside it, so that no process overwrites a later table with an earlier one
        sweep(run.root, *JOINED, *TABLES)
        folders = joined_folders(run)
        for folder, names in folders.items():
            if names:
                log.warning(
                    "%s: %s, and stay out of the tables. Score them anew: python -m benchmark evaluate %s",
                    folder.name, "; ".join(names), run.root,
                )  # fmt: skip
        alike = [folder for folder, names in folders.items() if not names]
        for table in JOINED:
            join_tables([folder / table for folder in alike if (folder / table).exists()], run.root / table, COLUMNS)
        there = set(alike)
        join_trials(run, [cell for cell in kept_cells(run) if run.cell(cell) in there])
        keep_digests(run, (*JOINED, *TABLES), [folder.name for folder in alike])


def _log_too_few_scans(settings: Settings, fit: Fit) -> None:
    for one in settings.protocols:
        scans = min(len(of_protocol.get(one.name, ())) for of_protocol in settings.healthy.values())
        if 0 < scans < one.fewest_scans:
            few = scans, one.fewest_scans
            log.info(
                "  no %s for %s: got %d healthy validation scans, expected at least %d", one.name, fit.method, *few
            )


def _sources(study: Study, run: RunFolder, settings: Settings, scored: Cell) -> dict[str, Source]:
    """Thresholds of the cohorts that protocols transfer from, if the fit has maps of them under this shift."""
    wanted = {protocol.cohort for protocol in settings.protocols} - {""}
    cells = [cell for cell in study.cells_of(scored.fit) if cell.shift == scored.shift and has_maps(run, cell)]
    return {
        cell.cohort.dataset: Source(
            cell.cohort.digest, lesion_thresholds(run, cell, study.mapped_cases(cell), settings)
        )
        for cell in cells
        if cell.cohort.dataset in wanted
    }


def _stage(error: Exception) -> str:
    return "predict" if isinstance(error, BadFile) else "evaluate"


def record_failure(run: RunFolder, cell: Cell, stage: str) -> None:
    """Write the traceback of the exception being handled into `cell.json`.

    A storage error is raised again instead: the method is not at fault.
    """
    if storage_problem(sys.exception()):
        raise
    trace = traceback.format_exc()
    record_cell(run, cell, {"status": "failed", "stage": stage, "traceback": trace})
    log.error("  FAILED %s on %s (%s): %s", cell.fit.method, cell.where, stage, trace.strip().splitlines()[-1])

"""Fills a study's grid: keeps what is done, survives what fails, and shares the work with whoever else is at it."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from itertools import groupby
from typing import Any

import torch

from benchmark.execution.fit_methods import fitted
from benchmark.execution.job import Job, Kind, Task, finish, prepare, tasks_of
from benchmark.execution.score_cells import fail, score_fit, score_missing_references
from benchmark.inference.lesion_frequency import LesionFrequency
from benchmark.inference.predict import Prediction, forget_peak, peak_bytes, predict
from benchmark.inference.prefetch import Behind
from benchmark.inference.settings import Inference
from benchmark.methods.detector import Detector, LabelledDetector
from benchmark.scoring.ranking_pass import as_seen
from benchmark.storage.checksums import write_checksums
from benchmark.storage.folder import RunFolder
from benchmark.storage.locks import taken, waited_for
from benchmark.storage.maps import write_volume
from benchmark.storage.rows import Row, blank_row, write_rows
from benchmark.storage.run_record import has_maps, record_cell
from benchmark.storage.storage_errors import told_apart
from benchmark.study.cells import Cell, Fit
from datasets.case import CaseFiles
from datasets.errors import UserError
from datasets.grid import Cases
from datasets.io.atomic import sweep

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # between two looks at what others are doing


def run_study(job: Job) -> list[Cell]:
    """Work through the grid; the cells of it that stand as failed are returned.

    A failure costs its own cells only: its traceback goes into their `cell.json`.

    Raises:
        UserError: before anything is computed, where a file cannot be used or the run folder holds
            a study under other settings; later, where nothing more can be written.
    """
    with told_apart(job.run.root):
        work(job, prepare(job))
        return finish(job)


def work(job: Job, cells: Sequence[Cell], kinds: Sequence[Kind] = ("fit", "map", "score")) -> None:
    """Do what is left of some cells, or see other processes do it; a task is tried once."""
    worker, left = _Worker(job), [task for task in tasks_of(job.study, job.run, cells) if task.kind in kinds]
    if "score" in kinds:
        _score_references(job, wait=False)
    while left:
        moved = False
        for task in list(left):
            before = left[: left.index(task)]
            if task.done(job.run, job.scoring) or (task.ready(job.run, before) and worker.takes(task)):
                left.remove(task)
                moved = True
        if not moved:
            time.sleep(POLL_SECONDS)
    if "score" in kinds:
        _score_references(job, wait=True)


class _Worker:
    """Does one task after the other; the latest detector is kept for the cells of its fit."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.held: tuple[str, Detector] | None = None
        self.begun: set[str] = set()

    def takes(self, task: Task) -> bool:
        """Do a task, unless another process is at it."""
        with taken(self.job.run, task.name) as mine:
            if mine and not task.done(self.job.run, self.job.scoring):
                self._log_begun(task.fit)
                {"fit": self._fit, "map": self._map, "score": self._score}[task.kind](task)
        return mine

    def _fit(self, task: Task) -> None:
        sweep(self.job.run.fit(task.fit))
        sweep(self.job.run.fit(task.fit) / "checkpoints")
        try:
            self._detector(task.fit, locked=True)
        except (Exception, SystemExit):
            self._fail(task, "fit")

    def _map(self, task: Task) -> None:
        folder = self.job.run.cell(task.cells[0])
        for place in (folder, folder / "maps", folder / "reconstructions"):
            sweep(place)
        (folder / "rows.csv").unlink(missing_ok=True)
        stage = "fit"
        try:
            detector = self._detector(task.fit, locked=False)
            stage = "predict"
            _map_cell(self.job, task.cells[0], detector)
        except (Exception, SystemExit):
            self._fail(task, stage)

    def _score(self, task: Task) -> None:
        job = self.job
        for cell in task.cells:
            sweep(job.run.cell(cell))
        mapped = [cell for cell in task.cells if has_maps(job.run, cell)]
        score_fit(job.study, job.run, job.scoring, task.fit, mapped)

    def _detector(self, fit: Fit, *, locked: bool) -> Detector:
        """Fitted, from memory, disk or its cases."""
        if self.held is None or self.held[0] != fit.key:
            self.held = None  # two networks at once may be more than the memory holds
            with nullcontext() if locked else waited_for(self.job.run, fit.name):
                self.held = fit.key, fitted(self.job.workplace, fit, mend=self.job.rerun == "failed")
        return self.held[1]

    def _fail(self, task: Task, stage: str) -> None:
        """Leave the error, which is being handled, in the cells that it costs."""
        for cell in task.cells:
            if not has_maps(self.job.run, cell):
                fail(self.job.run, cell, stage)

    def _log_begun(self, fit: Fit) -> None:
        fits = self.job.study.fits
        if fit.key not in self.begun:
            self.begun.add(fit.key)
            log.info("[%d/%d] %s, seed %d", fits.index(fit) + 1, len(fits), fit.method, fit.seed)


def _score_references(job: Job, *, wait: bool) -> None:
    """What the truth itself scores, unless another process is at it and need not be waited for."""
    locked: Callable[..., Any] = waited_for if wait else taken
    with locked(job.run, "references") as mine:
        if not (wait or mine):
            return
        for reference in job.study.references:
            sweep(job.run.cell(reference))
            try:
                score_missing_references(replace(job.study, references=(reference,)), job.run, job.scoring)
            except UserError as error:  # a file that has gone since the study was prepared costs its cohort only
                if wait:
                    log.error("  FAILED perfect map on %s: %s", reference.cohort.dataset, error)


def _map_cell(job: Job, cell: Cell, detector: Any) -> None:
    """Keep the maps of a cell; its `cell.json` comes last."""
    files = job.study.mapped_cases(cell)
    volumes = job.inference.volumes or detector.volumes_at_once
    inference = replace(job.inference, precision=cell.precision, volumes=volumes)
    forget_peak(inference.device)
    rows, seen, blank = list[Row](), list[Row](), blank_row(cell)
    made = predictions(detector, files, cell, inference)
    with Behind() as writing:
        for one, prediction in zip(files, made, strict=True):
            writing.do(partial(_keep_volumes, job.run, cell, prediction))
            timed = replace(blank, split=one.split, case_id=one.case_id, subject_id=one.subject_id)
            rows.append(replace(timed, metric="seconds", value=prediction.seconds))
            if not cell.shift.is_none:
                seen += as_seen(blank, one, prediction.case, prediction.reconstruction)
    rows.append(replace(blank, metric="peak_bytes", value=float(peak_bytes(inference.device))))
    write_rows(job.run.cell(cell) / "timing.csv", rows)
    if seen:
        write_rows(job.run.seen(cell), seen)
    write_checksums(job.run.cell(cell), ("maps", "reconstructions", "seen.csv"))
    record_cell(job.run, cell, {"status": "mapped", "inference": asdict(inference)})
    seconds = sum(row.value for row in rows[:-1])
    log.info("  mapped %d cases of %s in %.1f s", len(files), cell.where, seconds)


def _keep_volumes(run: RunFolder, cell: Cell, prediction: Prediction) -> None:
    case = prediction.case
    write_volume(run.anomaly_map(cell, case.case_id), prediction.anomaly_map, case.affine)
    if prediction.reconstruction is not None:
        write_volume(run.reconstruction(cell, case.case_id), prediction.reconstruction, case.affine)


def predictions(detector: Any, files: Sequence[CaseFiles], cell: Cell, inference: Inference) -> Iterator[Prediction]:
    """One a case in their order; a labelled detector hears of the other patients' lesions before each patient."""
    if not isinstance(detector, LabelledDetector):
        yield from predict(detector, Cases(files, cell.fit.grid, cell.shift), inference, seed=cell.sampling_seed)
        return
    frequency = LesionFrequency(files, cell.fit.grid)
    for subject_id, own in groupby(files, key=lambda one: one.subject_id):
        detector.see_locations(torch.from_numpy(frequency.of_others(subject_id))[None])  # (1, X, Y, Z)
        yield from predict(detector, Cases(list(own), cell.fit.grid, cell.shift), inference, seed=cell.sampling_seed)

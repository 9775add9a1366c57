"""Works through the tasks of a study: skips what is done, survives failures, shares tasks with other processes."""

import logging
import shutil
import time
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, replace
from functools import partial
from typing import Any

from benchmark.execution.fit_methods import load_or_fit
from benchmark.execution.job import STAGES, Job, Task, TaskKind, finish, prepare, tasks_of
from benchmark.execution.score_cells import record_failure, score_fit, score_missing_references
from benchmark.inference.cpu import compute_as_parent, threads_here
from benchmark.inference.predict import Prediction, predict_cell
from benchmark.inference.prefetch import WriteBehind
from benchmark.inference.usage import peak_bytes, reset_peak
from benchmark.methods.apart import Apart, Ended
from benchmark.methods.detector import Detector
from benchmark.methods.registry import runs_apart
from benchmark.scoring.ranking_pass import rows_of_image
from benchmark.storage.environment import environment
from benchmark.storage.folder import RunFolder, open_run
from benchmark.storage.locks import lock, try_lock
from benchmark.storage.maps import write_map, write_volume
from benchmark.storage.rows import Row, blank_row, stamped, write_rows
from benchmark.storage.run_record import check_data, has_maps, kept_cells, record_maps
from benchmark.storage.storage_errors import as_storage_error, storage_error, storage_problem
from benchmark.study.cells import Cell, Fit
from benchmark.study.study import Study
from datasets.errors import UserError
from datasets.io.atomic import sweep, write_text
from datasets.progress import watched
from datasets.words import count_text

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5  # between two checks of what other processes have finished
QUIET_SECONDS = 600.0  # that a plugin may take for a map, or more if its maps take long; see Apart.ask


def run_study(job: Job) -> list[Cell]:
    """Compute a study; the cells that failed are returned.

    An error fails its own cells only: its traceback goes into their `cell.json`.

    Raises:
        UserError: before anything is computed, as `prepare`; later, if nothing more can be written.
    """
    with as_storage_error(job.run.root):
        work(job, prepare(job))
        return finish(job)


def work(job: Job, cells: Sequence[Cell], kinds: Sequence[TaskKind] = ("fit", "map", "score")) -> None:
    """Do what is left of some cells, or wait until other processes have done it; each task is tried once."""
    left = [task for task in tasks_of(job.study, job.run, cells) if task.kind in kinds]
    if "score" in kinds:
        _score_references(job, wait=False)
    with closing(_Worker(job)) as worker:
        while left:
            moved = False
            for task in list(left):
                before = left[: left.index(task)]
                if task.done(job.run, job.scoring) or (task.ready(job.run, before) and worker.attempt(task)):
                    left.remove(task)
                    moved = True
            if not moved:
                time.sleep(POLL_SECONDS)
    if "score" in kinds:
        _score_references(job, wait=True)


class _Worker:
    """Does one task after the other; holds the latest detector for the cells of its fit, or the process that does."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.held: tuple[str, Detector | Apart] | None = None
        self.begun: set[str] = set()

    def close(self) -> None:
        """Let go of the latest detector, since memory may not hold two networks at once."""
        if self.held is not None and isinstance(self.held[1], Apart):
            self.held[1].close()
        self.held = None

    def attempt(self, task: Task) -> bool:
        """Do a task; False if another process is doing it."""
        with try_lock(self.job.run, task.name) as mine:
            if mine and not task.done(self.job.run, self.job.scoring):
                self._log_start(task.fit)
                if task.kind == "score":
                    self._score(task)
                elif self.job.apart and runs_apart(task.fit.target):
                    self._compute_apart(task)
                else:
                    self.compute(task)
        return mine

    def compute(self, task: Task) -> None:
        """Fit or map, in this process."""
        {"fit": self._fit, "map": self._map}[task.kind](task)

    def compute_or_tell(self, task: Task) -> str:
        """The same; says what the system says about the disk, if that is what stopped it, else ""."""
        try:
            self.compute(task)
        except Exception as error:
            problem = storage_problem(error)
            if problem is None:
                raise
            return problem
        return ""

    def _compute_apart(self, task: Task) -> None:
        """The same in the process of the fit, which may end or leave anything: that costs this task alone."""
        job, before = self.job, self.job.run.study.read_bytes()
        if self.held is None or self.held[0] != task.fit.key:
            self.close()
            own = Apart(_worker_apart, replace(job, apart=False, admission=None), threads_here())
            self.held = task.fit.key, own
        process = self.held[1]
        assert isinstance(process, Apart)
        try:
            full = process.ask("compute_or_tell", task, quiet_seconds=QUIET_SECONDS if task.kind == "map" else None)
            if full:
                raise storage_error(job.run.root, full)
            if job.run.study.read_bytes() != before and not _holds(job.run, job.study):
                write_text(job.run.study, before.decode())
                raise Ended("It changed study.json, which was restored.")
            if not task.done(job.run, job.scoring):
                raise Ended("Its process said that it was done, and has left nothing.")
        except Ended:
            self.close()
            for cell in task.cells:
                record_failure(job.run, cell, STAGES[task.kind])

    def _fit(self, task: Task) -> None:
        sweep(self.job.run.fit(task.fit))
        sweep(self.job.run.fit(task.fit) / "checkpoints")
        try:
            self._detector(task.fit, locked=True)
        except (Exception, SystemExit):
            self._fail(task, "fit")

    def _map(self, task: Task) -> None:
        folder = self.job.run.cell(task.cells[0])
        reconstructions = (path.parent for path in self.job.run.reconstructions(task.cells[0], ""))
        for place in (folder, folder / "maps", *reconstructions):
            sweep(place)
        shutil.rmtree(self.job.run.healthy_residuals(task.cells[0]), ignore_errors=True)
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
        """The fitted detector: from memory, from disk, or trained now."""
        if self.held is None or self.held[0] != fit.key:
            self.close()
            with nullcontext() if locked else lock(self.job.run, fit.name):
                self.held = fit.key, load_or_fit(self.job.fit_context, fit, mend=self.job.rerun == "failed")
        detector = self.held[1]
        assert isinstance(detector, Detector)
        return detector

    def _fail(self, task: Task, stage: str) -> None:
        """Record the error that is being handled in the cells of a task."""
        for cell in task.cells:
            if not has_maps(self.job.run, cell):
                record_failure(self.job.run, cell, stage)

    def _log_start(self, fit: Fit) -> None:
        fits = self.job.study.fits
        if fit.key not in self.begun:
            self.begun.add(fit.key)
            log.info("[%d/%d] %s, seed %d", fits.index(fit) + 1, len(fits), fit.method, fit.seed)


def _worker_apart(job: Job, threads: int) -> _Worker:
    """The worker in a plugin's process, which computes as its parent would."""
    compute_as_parent(threads)
    open_run(job.run.root)  # registers the user's own cohorts
    return _Worker(job)


def _holds(run: RunFolder, study: Study) -> bool:
    """Whether a run's record still has the cells of a study."""
    try:
        return {cell.key for cell in study.cells} <= {cell.key for cell in kept_cells(run)}
    except (UserError, LookupError, TypeError, ValueError):  # it may hold anything by now
        return False


def _score_references(job: Job, *, wait: bool) -> None:
    """Score perfect maps; if another process is doing that, wait for it or leave it to that process."""
    locked: Callable[..., Any] = lock if wait else try_lock
    with locked(job.run, "references") as mine:
        if not (wait or mine):
            return
        for reference in job.study.references:
            sweep(job.run.cell(reference))
            try:
                score_missing_references(replace(job.study, references=(reference,)), job.run, job.scoring)
            except UserError as error:  # a file deleted since the study was prepared: the other cohorts go on
                if wait:
                    log.error("  FAILED perfect map on %s: %s", reference.cohort.dataset, error)


def _map_cell(job: Job, cell: Cell, detector: Any) -> None:
    """Compute and write the maps of a cell; `cell.json` is written last."""
    files = job.study.mapped_cases(cell)
    volumes = job.inference.volumes or detector.volumes_at_once
    inference = replace(job.inference, precision=cell.precision, volumes=volumes)
    reset_peak(inference.device)
    rows, seen, blank = list[Row](), list[Row](), blank_row(cell)
    predictions = predict_cell(detector, files, cell, inference)
    with WriteBehind() as writing:
        pairs = watched(zip(files, predictions, strict=True), f"  mapping {cell.where}", len(files))
        for one, prediction in pairs:
            writing.do(partial(_write_volumes, job.run, cell, prediction))
            timed = replace(blank, split=one.split, case_id=one.case_id, subject_id=one.subject_id)
            rows.append(replace(timed, metric="seconds", value=prediction.seconds))
            if not cell.shift.is_none:
                seen += rows_of_image(blank, one, prediction.case, prediction.reconstruction)
            log.debug("  mapped %s", one.case_id)  # a sign of life
    rows.append(replace(blank, metric="peak_bytes", value=float(peak_bytes(inference.device))))
    write_rows(job.run.cell(cell) / "timing.csv", stamped(rows))
    if seen:
        write_rows(job.run.seen(cell), stamped(seen))
    check_data(job.run, job.study, cell.cohort)
    record_maps(job.run, cell, {"inference": asdict(inference), "environment": environment(inference.device)})
    seconds = sum(row.value for row in rows[:-1])
    log.info("  mapped %s of %s in %.1f s", count_text(len(files), "case"), cell.where, seconds)


def _write_volumes(run: RunFolder, cell: Cell, prediction: Prediction) -> None:
    case = prediction.case
    write_map(run.anomaly_map(cell, case.case_id), prediction.anomaly_map, case.affine)
    if prediction.reconstruction is not None:
        paths = run.reconstructions(cell, case.case_id)
        for path, volume in zip(paths, prediction.reconstruction, strict=True):
            write_volume(path, volume, case.affine)

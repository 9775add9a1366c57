"""Job: a study with where and how it is computed, what a run folder holds before and after it, and its tasks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmark.execution.fit_methods import FitContext, check_fit, delete_fit, training_key
from benchmark.execution.score_cells import collect
from benchmark.inference.settings import Inference
from benchmark.storage.admission import Admission, keep
from benchmark.storage.environment import environment
from benchmark.storage.folder import RunFolder
from benchmark.storage.locks import lock, owners
from benchmark.storage.run_record import (
    Scoring,
    add_study,
    cell_state,
    check_settings,
    has_failed,
    has_maps,
    keep_pictures,
    record_cell,
)
from benchmark.study.cells import Cell, Fit
from benchmark.study.study import Study
from datasets.errors import BadValue
from datasets.io.atomic import sweep, write_json

Rerun = Literal["missing", "failed", "all"]
TaskKind = Literal["fit", "map", "score"]
STAGES: Mapping[TaskKind, str] = {"fit": "fit", "map": "predict", "score": "evaluate"}
"""What a failed cell says of the kind of task that failed."""


@dataclass(frozen=True)
class Job:
    """A study, where its data are and where it is kept, and how it is computed and scored.

    Attributes:
        data: folder of the cohorts.
        rerun: what to compute again: `missing` nothing, `failed` what failed before, `all` everything.
        admission: what the audit of the data found, to be stored with the run; None to store nothing.
        pictures: see `keep_pictures`; None for what the run keeps.
        asked: the options of the run, to be stored for whoever repeats it; None to store nothing.
        apart: whether plugins fit and map in processes of their own.
    """

    study: Study
    run: RunFolder
    data: Path
    inference: Inference
    scoring: Scoring
    rerun: Rerun
    admission: Admission | None = None
    pictures: Sequence[str] | None = None
    asked: Mapping[str, Any] | None = None
    apart: bool = True

    @property
    def fit_context(self) -> FitContext:
        """What fitting a method of this job needs."""
        return FitContext(self.study, self.run, self.inference.device)

    def includes(self, cell: Cell) -> bool:
        """Whether there is anything to do for this cell."""
        state = cell_state(self.run, cell, self.scoring)
        return self.rerun == "all" or state in ("missing", "mapped") or state == self.rerun

    def reuses_maps(self, cell: Cell) -> bool:
        """Whether this cell is only scored, from the maps it has."""
        return self.rerun != "all" and has_maps(self.run, cell)


def prepare(job: Job) -> list[Cell]:
    """Add the study to its run folder, delete what is to be computed again, and return the cells to work on.

    Raises:
        UserError: the run folder holds a study under other settings, or other processes work on what is to be
            computed again; nothing has been changed then.
    """
    check_settings(job.run, job.study)
    todo = [cell for cell in job.study.cells if job.includes(cell)]
    for fit in {cell.fit.key: cell.fit for cell in todo if not job.reuses_maps(cell)}.values():
        check_fit(job.fit_context, fit)
    if todo and job.rerun != "missing":
        _check_alone(job)
    with lock(job.run, "study"):
        sweep(job.run.root, "study.json", "audit.json", "environment.json")
        check_settings(job.run, job.study)
        add_study(job.run, job.study, job.scoring, job.data, job.asked)
        keep_pictures(job.run, job.pictures)
        if job.admission is not None:
            keep(job.run, job.admission)
        if todo:
            write_json(job.run.root / "environment.json", environment(job.inference.device))
        _discard(job, todo)
    return todo


def finish(job: Job) -> list[Cell]:
    """Join the rows of all cells into the tables of the run, and return the cells that are not done."""
    collect(job.run)
    return [cell for cell in job.study.cells if cell_state(job.run, cell, job.scoring) != "done"]


@dataclass(frozen=True)
class Task:
    """One method to fit, one cell to map, or the cells of one fit under one shift to score.

    Attributes:
        name: of its lock; the same in every process.
        cells: those that fail if the task fails.
        after: for scoring, the cells that must be scored or failed before: healthy scans, and the unshifted cells.
        training: for fitting, the `training_key`: one of the fits that share it is trained, the others copy it.
    """

    kind: TaskKind
    name: str
    fit: Fit
    cells: tuple[Cell, ...]
    after: tuple[Cell, ...] = ()
    training: str = ""

    def done(self, run: RunFolder, scoring: Scoring) -> bool:
        """Whether it is finished or has failed."""
        if self.kind == "fit":
            return _is_fitted(run, self.fit) or not any(_lacks_maps(run, cell) for cell in self.cells)
        if self.kind == "map":
            return not _lacks_maps(run, self.cells[0])
        return all(cell_state(run, cell, scoring) in ("done", "failed") for cell in self.cells)

    def ready(self, run: RunFolder, others: Sequence["Task"]) -> bool:
        """Whether what it builds on is finished; `others` are the unfinished tasks before it."""
        if self.kind == "fit":
            return self.training not in {task.training for task in others if task.kind == "fit"}
        if self.kind == "map":
            return _is_fitted(run, self.fit)
        unmapped = _names(cell for task in others if task.kind == "map" for cell in task.cells)
        unscored = _names(cell for task in others if task.kind == "score" for cell in task.cells)
        return not (_names((*self.cells, *self.after)) & unmapped or _names(self.after) & unscored)


def tasks_of(study: Study, run: RunFolder, cells: Sequence[Cell]) -> list[Task]:
    """The tasks of some cells, in an order in which a single process can do them all."""
    tasks: list[Task] = []
    for fit in study.fits:
        own = [cell for cell in cells if cell.fit == fit]
        to_map = [cell for cell in own if not has_maps(run, cell)]
        if to_map:
            tasks.append(Task("fit", fit.name, fit, tuple(to_map), training=training_key(fit)))
        tasks += [Task("map", cell.name, fit, (cell,)) for cell in to_map]
        tasks += _scoring_tasks(study, fit, own)
    return tasks


def _check_alone(job: Job) -> None:
    for name, owner in owners(job.run).items():
        raise BadValue(
            f"--rerun {job.rerun}: process {owner.pid} on {owner.host} is at work on {name} in {job.run.root}, "
            "expected no other process: what it computes would be deleted. Wait for it, or end it first."
        )


def _discard(job: Job, cells: Iterable[Cell]) -> None:
    """Delete what is to be computed again, at once for all cells: if the run is killed, the next computes the rest."""
    if job.rerun == "missing":
        return
    for cell in cells:
        if job.rerun == "all":
            delete_fit(job.run.fit(cell.fit))
        if not job.reuses_maps(cell):
            (job.run.cell(cell) / "cell.json").unlink(missing_ok=True)
            (job.run.cell(cell) / "rows.csv").unlink(missing_ok=True)
        elif cell_state(job.run, cell, job.scoring) == "failed":
            record_cell(job.run, cell, {"status": "mapped"})


def _scoring_tasks(study: Study, fit: Fit, cells: Sequence[Cell]) -> list[Task]:
    tasks = []
    for shift in dict.fromkeys(cell.shift for cell in study.cells_of(fit)):  # unshifted ones first
        under = tuple(cell for cell in cells if cell.shift == shift)
        if under:
            unshifted = tuple(cell.unshifted for cell in under if cell != cell.unshifted)
            after = (*study.healthy_cells(fit, shift), *unshifted)
            tasks.append(Task("score", f"score-{under[0].scoring}", fit, under, after))
    return tasks


def _names(cells: Iterable[Cell]) -> set[str]:
    return {cell.name for cell in cells}


def _is_fitted(run: RunFolder, fit: Fit) -> bool:
    return (run.fit(fit) / "fit.json").exists()


def _lacks_maps(run: RunFolder, cell: Cell) -> bool:
    return not has_maps(run, cell) and not has_failed(run, cell)

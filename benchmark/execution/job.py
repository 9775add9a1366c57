"""Job: a study with where and how it is computed; what is entered into the run folder before and after the work."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmark.execution.fit_methods import Workplace, check_fit, forget, training_mark
from benchmark.execution.score_cells import collect
from benchmark.inference.settings import Inference
from benchmark.storage.admission import Admission, keep
from benchmark.storage.environment import environment
from benchmark.storage.folder import RunFolder
from benchmark.storage.locks import owners, waited_for
from benchmark.storage.run_record import Scoring, cell_state, check_settings, claim, has_failed, has_maps, record_cell
from benchmark.study.cells import Cell, Fit
from benchmark.study.planning import check_cases
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.errors import BadValue
from datasets.io.atomic import sweep, write_json

log = logging.getLogger(__name__)

Rerun = Literal["missing", "failed", "all"]


@dataclass(frozen=True)
class Job:
    """A study, where its data are and where it is kept, and how it is computed and scored.

    Attributes:
        rerun: what to compute again: `missing` nothing, `failed` what failed before, `all` everything.
        devices: GPUs that one fit trains on, where the method can use several.
        admission: the audit that has read every case already; None to read them before anything is computed.
    """

    study: Study
    run: RunFolder
    data: Path
    inference: Inference
    scoring: Scoring
    rerun: Rerun
    devices: int = 1
    admission: Admission | None = None

    @property
    def workplace(self) -> Workplace:
        """Where this job's fits are made."""
        return Workplace(self.study, self.run, self.inference.device, self.devices)

    def wanted(self, cell: Cell) -> bool:
        """Whether this cell is to be worked on."""
        state = cell_state(self.run, cell, self.scoring)
        return self.rerun == "all" or state in ("missing", "mapped") or state == self.rerun

    def keeps_maps(self, cell: Cell) -> bool:
        """Whether this cell needs no inference."""
        return self.rerun != "all" and has_maps(self.run, cell)


def prepare(job: Job) -> list[Cell]:
    """Enter the study into its run folder and take back what is to be made anew; the cells that are to be worked on.

    Raises:
        UserError: before anything is changed, where a file cannot be used, the run folder holds a study under other
            settings, or other processes are at work on what is to be made anew.
    """
    check_settings(job.run, job.study)
    todo = [cell for cell in job.study.cells if job.wanted(cell)]
    for fit in {cell.fit.key: cell.fit for cell in todo if not job.keeps_maps(cell)}.values():
        check_fit(job.workplace, fit)
    if todo and job.admission is None:
        log.info("Reading every case once, to know now what cannot be used.")
        check_cases(_needed(job.study, todo), todo[0].fit.grid)
    if todo and job.rerun != "missing":
        _check_alone(job)
    with waited_for(job.run, "study"):
        sweep(job.run.root, "study.json", "audit.json", "environment.json")
        check_settings(job.run, job.study)
        claim(job.run, job.study, job.scoring, job.data)
        if job.admission is not None:
            keep(job.run, job.admission)
        if todo:
            write_json(job.run.root / "environment.json", environment(job.inference.device))
        _forget(job, todo)
    return todo


def finish(job: Job) -> list[Cell]:
    """Join the cells' rows into the run's tables; the cells that are not done are returned."""
    collect(job.run)
    return [cell for cell in job.study.cells if cell_state(job.run, cell, job.scoring) != "done"]


def _check_alone(job: Job) -> None:
    for name, owner in owners(job.run).items():
        raise BadValue(
            f"--rerun {job.rerun}: process {owner.pid} on {owner.host} is at work on {name} in {job.run.root}, "
            "wanted nobody: what they make must not be taken back. Wait for them, or end them first."
        )


def _forget(job: Job, cells: Iterable[Cell]) -> None:
    """Take back what is to be made anew, so that a run killed meanwhile goes on with it later."""
    if job.rerun == "missing":
        return
    for cell in cells:
        if job.rerun == "all":
            forget(job.run.fit(cell.fit))
        if not job.keeps_maps(cell):
            (job.run.cell(cell) / "cell.json").unlink(missing_ok=True)
            (job.run.cell(cell) / "rows.csv").unlink(missing_ok=True)
        elif cell_state(job.run, cell, job.scoring) == "failed":
            record_cell(job.run, cell, {"status": "mapped"})


def _needed(study: Study, cells: Iterable[Cell]) -> Sequence[CaseFiles]:
    """Every file that working on these cells reads, once."""
    needed: dict[Path, CaseFiles] = {}
    for cell in cells:
        training = [*study.training_cases(cell.fit, "train"), *study.training_cases(cell.fit, "val")]
        needed |= {files.image: files for files in (*training, *study.mapped_cases(cell))}
    return list(needed.values())


Kind = Literal["fit", "map", "score"]


@dataclass(frozen=True)
class Task:
    """A fit to be made, a cell to be mapped, or a fit's cells under one shift to be scored.

    Attributes:
        name: of its lock; the same in every process.
        cells: those that it costs if it fails.
        after: of a scoring, all that has to be settled before: the cell of healthy scans, and those without the shift.
        mark: of a fit, the same for fits that are trained alike: the first is trained, the others take its weights.
    """

    kind: Kind
    name: str
    fit: Fit
    cells: tuple[Cell, ...]
    after: tuple[Cell, ...] = ()
    mark: str = ""

    def done(self, run: RunFolder, scoring: Scoring) -> bool:
        """Whether nothing of it is left, be it that it has failed."""
        if self.kind == "fit":
            return _fitted(run, self.fit) or not any(_unmapped(run, cell) for cell in self.cells)
        if self.kind == "map":
            return not _unmapped(run, self.cells[0])
        return all(cell_state(run, cell, scoring) in ("done", "failed") for cell in self.cells)

    def ready(self, run: RunFolder, others: Sequence["Task"]) -> bool:
        """Whether what it builds on is there; `others` are the unfinished tasks before it."""
        if self.kind == "fit":
            return self.mark not in {task.mark for task in others if task.kind == "fit"}
        if self.kind == "map":
            return _fitted(run, self.fit)
        unmapped = _names(cell for task in others if task.kind == "map" for cell in task.cells)
        unscored = _names(cell for task in others if task.kind == "score" for cell in task.cells)
        return not (_names((*self.cells, *self.after)) & unmapped or _names(self.after) & unscored)


def tasks_of(study: Study, run: RunFolder, cells: Sequence[Cell]) -> list[Task]:
    """What there is to do for some cells of a study, in an order in which one process can do it all."""
    tasks: list[Task] = []
    for fit in study.fits:
        own = [cell for cell in cells if cell.fit == fit]
        to_map = [cell for cell in own if not has_maps(run, cell)]
        if to_map:
            tasks.append(Task("fit", fit.name, fit, tuple(to_map), mark=training_mark(fit)))
        tasks += [Task("map", cell.name, fit, (cell,)) for cell in to_map]
        tasks += _scorings(study, fit, own)
    return tasks


def _scorings(study: Study, fit: Fit, cells: Sequence[Cell]) -> list[Task]:
    tasks = []
    for shift in dict.fromkeys(cell.shift for cell in study.cells_of(fit)):  # unshifted ones first
        under = tuple(cell for cell in cells if cell.shift == shift)
        if under:
            healthy = study.healthy_cell(fit, shift)
            unshifted = tuple(cell.unshifted for cell in under if cell != cell.unshifted)
            tasks.append(Task("score", f"score-{healthy.name}", fit, under, (healthy, *unshifted)))
    return tasks


def _names(cells: Iterable[Cell]) -> set[str]:
    return {cell.name for cell in cells}


def _fitted(run: RunFolder, fit: Fit) -> bool:
    return (run.fit(fit) / "fit.json").exists()


def _unmapped(run: RunFolder, cell: Cell) -> bool:
    return not has_maps(run, cell) and not has_failed(run, cell)

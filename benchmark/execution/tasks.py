"""Task: what one process at a time does of a study; the tasks of some cells, and which of them are done."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmark.execution.shared_training import training_mark
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import Scoring, cell_state, has_failed, has_maps
from benchmark.study.cells import Cell, Fit
from benchmark.study.study import Study

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

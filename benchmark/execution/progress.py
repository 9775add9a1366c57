"""The progress of a run, cell by cell, and an estimate of the time and space the rest takes."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Literal

from benchmark.storage.folder import FORMAT, RunFolder
from benchmark.storage.locks import Owner, owners
from benchmark.storage.rows import kept_rows
from benchmark.storage.run_record import Scoring, cell_state, failure_of, has_maps, kept_cells
from benchmark.study.cells import Cell, Fit
from benchmark.study.study import Study
from datasets.errors import UserError
from datasets.io.atomic import read_json
from datasets.words import count_text

Progress = Literal["done", "running", "failed", "missing"]
HOUR = 3600.0


@dataclass(frozen=True)
class CellProgress:
    """The progress of one cell.

    Attributes:
        what: what is being done with a running cell, what a missing one has already, or why it failed.
        owner: the process that works on it.
    """

    cell: Cell
    progress: Progress
    what: str = ""
    owner: Owner | None = None


def progress_of(run: RunFolder, scoring: Scoring) -> list[CellProgress]:
    """The progress of every cell; a cell is running while a living process holds a lock that it needs."""
    cells, held = kept_cells(run), owners(run)
    scorings = {name.removeprefix("score-"): one for name, one in held.items() if name.startswith("score-")}
    return [_progress(run, cell, scoring, held, scorings.get(cell.scoring)) for cell in cells]


def _progress(
    run: RunFolder, cell: Cell, scoring: Scoring, held: Mapping[str, Owner], scorer: Owner | None
) -> CellProgress:
    state = cell_state(run, cell, scoring, read_tables=False)
    if state in ("done", "failed"):
        return CellProgress(cell, state, failure_of(run, cell) if state == "failed" else "")
    for name, what in ((cell.name, "mapping"), (cell.fit.name, "fitting")):
        if state == "missing" and name in held:
            return CellProgress(cell, "running", what, held[name])
    if state == "mapped" and scorer is not None:
        return CellProgress(cell, "running", "scoring", scorer)
    return CellProgress(cell, "missing", "mapped, not scored" if state == "mapped" else "")


@dataclass(frozen=True)
class Speeds:
    """By method: seconds of a fit, seconds and bytes of a mapped case, bytes of weights.

    Attributes:
        tried: methods that were never measured, whose seconds are those of a moment's trial here, bytes those before
            compression; the others have the means of what was measured.
    """

    fit_seconds: Mapping[str, float]
    case_seconds: Mapping[str, float]
    case_bytes: Mapping[str, float]
    weight_bytes: Mapping[str, float]
    tried: Collection[str] = ()


@dataclass(frozen=True)
class Estimate:
    """What is left of a study, and the time and space it takes.

    Attributes:
        fits, cases: numbers of fits to make, and of cases to map.
        seconds: in one process of the machine that was measured; methods that are `unknown` excluded.
        size: bytes, likewise.
        unknown: methods without measurements or trial.
        tried: methods whose seconds are those of a trial, bytes those before compression.
    """

    fits: int
    cases: int
    seconds: float
    size: float
    unknown: tuple[str, ...]
    tried: tuple[str, ...] = ()

    def text(self) -> str:
        what = f"To do: {count_text(self.fits, 'fit')} and maps of {count_text(self.cases, 'case')}"
        unknown = f"; unknown for {', '.join(self.unknown)}, not measured yet" if self.unknown else ""
        size = f"{'at most ' if self.tried else ''}{self.size / 1e9:.2f} GB"
        tried = f" ({', '.join(self.tried)}: by a moment's trial on this CPU)" if self.tried else ""
        whose = " for the others" if self.unknown else " by earlier measurements" if not self.tried else ""
        return f"{what}{unknown}; about {self.seconds / HOUR:.2f} h and {size}{whose}{tried}."


def measured(run: RunFolder, cell: Cell) -> Speeds:
    """Measurements of this run and of those beside it on the grid and in the precision of `cell`."""
    fits, cases, maps, weights = _Notes(), _Notes(), _Notes(), _Notes()
    for other in _comparable(run, cell):
        for done in other.cells:
            with suppress(UserError):  # damaged: nothing is learnt from it
                _note_cell(other.run, done, cases, maps)
        for fit in {one.fit.key: one.fit for one in other.cells}.values():
            with suppress(UserError):
                _note_fit(other.run, fit, fits, weights)
    return Speeds(*({name: mean(values) for name, values in found.items()} for found in (fits, cases, maps, weights)))


class _Notes(defaultdict[str, list[float]]):
    """Measurements by method."""

    def __init__(self) -> None:
        super().__init__(list)


def estimate(run: RunFolder, study: Study, speeds: Speeds) -> Estimate:
    """Estimate what is left of a study in a run."""
    cells = [cell for cell in study.cells if not has_maps(run, cell)]
    fits = {cell.fit.key: cell.fit for cell in cells if not (run.fit(cell.fit) / "fit.json").exists()}.values()
    cases = [(cell.fit.method, len(study.mapped_cases(cell))) for cell in cells]
    unknown = {fit.method for fit in fits} - speeds.fit_seconds.keys()
    unknown |= {method for method, _ in cases} - speeds.case_seconds.keys()
    seconds = sum(speeds.fit_seconds.get(fit.method, 0.0) for fit in fits)
    seconds += sum(speeds.case_seconds.get(method, 0.0) * count for method, count in cases)
    size = sum(speeds.weight_bytes.get(fit.method, 0.0) for fit in fits)
    size += sum(speeds.case_bytes.get(method, 0.0) * count for method, count in cases)
    tried = tuple(sorted({cell.fit.method for cell in cells} & set(speeds.tried)))
    return Estimate(len(fits), sum(count for _, count in cases), seconds, size, tuple(sorted(unknown)), tried)


def hours(speeds: Speeds, cell: Cell, cases: int) -> str:
    """The hours of mapping a cell, as text."""
    seconds = speeds.case_seconds.get(cell.fit.method)
    return "unknown" if seconds is None else f"{seconds * cases / HOUR:.2f} h"


@dataclass(frozen=True)
class _Measured:
    run: RunFolder
    cells: Sequence[Cell]


def _comparable(run: RunFolder, cell: Cell) -> Iterable[_Measured]:
    for record in sorted(run.root.parent.glob("*/study.json")):
        other = RunFolder(record.parent)
        try:
            cells = kept_cells(other) if read_json(record).get("format") == FORMAT else []
        except (UserError, ValueError):  # damaged, or of another program
            continue
        yield _Measured(
            other, [one for one in cells if (one.fit.grid, one.precision) == (cell.fit.grid, cell.precision)]
        )


def _note_cell(run: RunFolder, cell: Cell, cases: _Notes, maps: _Notes) -> None:
    timing = run.cell(cell) / "timing.csv"
    if not (has_maps(run, cell) and timing.exists()):
        return
    seconds = [row.value for row in kept_rows(timing) if row.metric == "seconds"]
    if seconds:
        cases[cell.fit.method].append(mean(seconds))
        size = _size(run.cell(cell).glob("*/*.nii.gz"))
        maps[cell.fit.method].append(size / len(seconds))


def _note_fit(run: RunFolder, fit: Fit, fits: _Notes, weights: _Notes) -> None:
    record = run.fit(fit) / "fit.json"
    if not record.exists():
        return
    fits[fit.method].append(float(read_json(record)["seconds"]))
    weights[fit.method].append(_size(run.fit(fit).glob("*.safetensors")))


def _size(files: Iterable[Path]) -> float:
    return float(sum(path.stat().st_size for path in files))

"""`python -m datasets shifts` lists the kinds of shifts; `doses` measures what their levels do and calibrates them."""

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from datasets.case import CaseFiles
from datasets.cohorts.catalog import dataset
from datasets.commands.common import Data, Json, Preset, preset_grid
from datasets.errors import BadValue, UserError
from datasets.grid import PUBLISHED, Grid
from datasets.loading import load_case
from datasets.shift_requests import ShiftRequest, landmarks_of, parse_shifts
from datasets.shifts.registry import COMMON_DOSES, SHIFTS
from datasets.shifts.shift import ShiftKind

app = typer.Typer()
CALIBRATION_CASES = 32  # on which levels are searched; the doses of the levels found are measured on all cases
POINTS = 16  # of the dose curve over levels, which brackets a dose
HALVINGS = 5  # of the bracket
NEAR_HIGHEST = 0.9  # of a kind's highest level; beyond it levels are rounded to four digits, else to two
SEARCH_FACTOR = 10.0  # below the lowest and above the highest of a kind's own levels
TOLERANCE = 0.15  # of a dose, within which it counts as reached


@app.command("shifts")
def list_shifts(as_json: Json = False) -> None:
    """List the kinds of shifts with their five levels and doses; a broken plugin is reported on stderr."""
    facts = []
    for name in SHIFTS:
        try:
            one = SHIFTS[name]
        except UserError as error:
            typer.echo(str(error), err=True)
            continue
        facts.append({key: getattr(one, key) for key in ("name", "title", "stage", "unit", "levels", "doses", "what")})
    if as_json:
        typer.echo(json.dumps(facts, indent=2))
        return
    for fact in facts:
        levels = ", ".join(f"{level:g}" for level in fact["levels"])
        typer.echo(f"{fact['name']:10} {fact['stage']:14} {fact['title']}: {levels} ({fact['unit']}; {fact['what']})")


@app.command("doses")
def doses(
    data: Data,
    shifts: Annotated[
        str | None, typer.Option(help="Shifts as for `benchmark run`; default: all built-in ones.")
    ] = None,
    healthy: Annotated[str, typer.Option(help="Healthy cohort whose training cases are shifted.")] = "ixi",
    sequence: Annotated[str, typer.Option(help="Its sequence.")] = "t1",
    preset: Preset = PUBLISHED,
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Search the levels for the common doses again.")
    ] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="Only this many cases, spread over the cohort.")] = None,
    as_json: Json = False,
) -> None:
    """Measure how far shifts move healthy tissue, and calibrate their levels to the common doses."""
    grid = preset_grid(preset)
    files = [one for one in dataset(healthy).files(data, sequence) if one.split == "train" and one.healthy]
    files = _spread(files, limit)
    if not files:
        raise BadValue(f"--healthy {healthy}: got no healthy training case, expected some to shift.")
    requests = _built_in_shifts() if shifts is None else parse_shifts(shifts)
    for one in _calibrated(requests, files, grid) if calibrate else _measured(requests, files, grid, data, sequence):
        typer.echo(json.dumps(_fact(one)) if as_json else _line(one))


@dataclass(frozen=True)
class Dose:
    """What one level of a shift does to healthy scans.

    Attributes:
        mean, sd: over cases, of a case's mean |shifted - unshifted| over its brain.
        target: the common dose that the level was to reach; None where there was none.
    """

    request: ShiftRequest
    mean: float
    sd: float
    target: float | None = None

    @property
    def reached(self) -> bool:
        """Whether the target is reached within `TOLERANCE`."""
        return self.target is None or abs(self.mean - self.target) <= TOLERANCE * self.target


def measure_dose(
    request: ShiftRequest,
    files: Sequence[CaseFiles],
    grid: Grid,
    landmarks: tuple[float, ...] = (),
    target: float | None = None,
) -> Dose:
    """Measure the dose of one level over healthy cases."""
    doses = _doses(request, files, grid, landmarks)
    return Dose(request, float(doses.mean()), float(doses.std(ddof=1)) if doses.size > 1 else np.nan, target)


def calibrate_levels(kind: ShiftKind, files: Sequence[CaseFiles], grid: Grid, targets: Sequence[float]) -> list[float]:
    """For each dose of `targets` the level that reaches it, rounded; the strongest level where none does."""
    highest = min(kind.highest, kind.levels[-1] * SEARCH_FACTOR)
    levels = np.geomspace(kind.levels[0] / SEARCH_FACTOR, highest, POINTS)
    curve = np.array([_mean_dose(kind, level, files, grid) for level in levels])
    top = int(np.argmax(curve))  # beyond it a higher level adds nothing
    return [_level_for(dose, kind, levels[: top + 1], curve[: top + 1], files, grid) for dose in targets]


def _measured(
    requests: Sequence[ShiftRequest], files: Sequence[CaseFiles], grid: Grid, data: Path, sequence: str
) -> Iterator[Dose]:
    landmarks = {one.cohort: landmarks_of(one.cohort, data, sequence, grid) for one in requests if one.cohort}
    yield from (measure_dose(one, files, grid, landmarks.get(one.cohort, ())) for one in requests)


def _calibrated(requests: Sequence[ShiftRequest], files: Sequence[CaseFiles], grid: Grid) -> Iterator[Dose]:
    for found in {one.kind.name: one.kind for one in requests if one.kind.calibrated}.values():
        levels = calibrate_levels(found, _spread(files, CALIBRATION_CASES), grid, COMMON_DOSES)
        for level, target in zip(levels, COMMON_DOSES, strict=True):
            yield measure_dose(ShiftRequest(found, level), files, grid, target=target)


def _built_in_shifts() -> list[ShiftRequest]:
    """Every built-in kind at its five levels, except those that lead to a cohort."""
    return parse_shifts(",".join(name for name in SHIFTS.built_in if not SHIFTS[name].to_cohort))


def _spread(files: Sequence[CaseFiles], limit: int | None) -> list[CaseFiles]:
    """At most `limit` cases, evenly spread."""
    step = max(len(files) // limit, 1) if limit else 1
    return list(files[::step])[:limit]


def _fact(one: Dose) -> dict[str, object]:
    facts = {"shift": one.request.name, "level": one.request.level, "dose": one.mean, "sd": one.sd}
    return facts if one.target is None else {**facts, "aimed_at": one.target, "reached": one.reached}


def _line(one: Dose) -> str:
    text = f"{one.request.name:16} {one.request.level:<8g} dose {one.mean:.4f} (sd {one.sd:.4f})"
    if one.target is not None:
        text += f" for {one.target:g}" + ("" if one.reached else ": NOT REACHED")
    return text


def _level_for(
    dose: float,
    kind: ShiftKind,
    levels: NDArray[np.float64],
    curve: NDArray[np.float64],
    files: Sequence[CaseFiles],
    grid: Grid,
) -> float:
    """Bisect between the two points of the curve that bracket the dose."""
    place = int(np.searchsorted(np.maximum.accumulate(curve), dose))
    if place in (0, len(levels)):
        return _rounded(float(levels[min(place, len(levels) - 1)]), kind)
    low, high = levels[place - 1], levels[place]
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if _mean_dose(kind, middle, files, grid) < dose else (low, middle)
    return _rounded(float(np.sqrt(low * high)), kind)


def _rounded(level: float, kind: ShiftKind) -> float:
    return float(f"{level:.4g}" if NEAR_HIGHEST * kind.highest < level else f"{level:.2g}")


def _mean_dose(kind: ShiftKind, level: float, files: Sequence[CaseFiles], grid: Grid) -> float:
    return float(_doses(ShiftRequest(kind, float(level)), files, grid, ()).mean())


def _doses(
    request: ShiftRequest, files: Sequence[CaseFiles], grid: Grid, landmarks: tuple[float, ...]
) -> NDArray[np.float64]:
    shift = request.shift(landmarks)
    with ThreadPoolExecutor() as readers:
        return np.array([*readers.map(lambda one: load_case(one, grid, shift).shift_dose, files)])

"""Doses: how far shifts move healthy tissue, and the levels at which they move it as far as others do."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.case import CaseFiles
from datasets.grid import Grid, load_case
from datasets.shift_requests import AskedShift
from datasets.shifts.shift import ShiftKind

POINTS = 16  # of the curve that tells between which levels a dose lies
HALVINGS = 5
WHOLE = 0.9  # of the highest level there is; beyond it four digits matter, else two do
SEARCHED = 10.0  # times below the lowest and above the highest of a kind's own levels
TOLERANCE = 0.15  # of a dose, within which it counts as reached


@dataclass(frozen=True)
class Dose:
    """What one level does to healthy scans.

    Attributes:
        mean, sd: over cases, of a case's mean |shifted - unshifted| over its brain.
        aimed_at: the common dose that the level was to reach; None where there was none.
    """

    asked: AskedShift
    mean: float
    sd: float
    aimed_at: float | None = None

    @property
    def reached(self) -> bool:
        """Whether what was aimed at is reached within `TOLERANCE`."""
        return self.aimed_at is None or abs(self.mean - self.aimed_at) <= TOLERANCE * self.aimed_at


def measure(
    asked: AskedShift,
    files: Sequence[CaseFiles],
    grid: Grid,
    landmarks: tuple[float, ...] = (),
    aimed_at: float | None = None,
) -> Dose:
    """The dose of one level over healthy cases."""
    doses = _doses(asked, files, grid, landmarks)
    return Dose(asked, float(doses.mean()), float(doses.std(ddof=1)) if doses.size > 1 else np.nan, aimed_at)


def calibrate(kind: ShiftKind, files: Sequence[CaseFiles], grid: Grid, wanted: Sequence[float]) -> list[float]:
    """For each wanted dose the level that reaches it, rounded; the most that there is where none does."""
    highest = min(kind.highest, kind.levels[-1] * SEARCHED)
    levels = np.geomspace(kind.levels[0] / SEARCHED, highest, POINTS)
    curve = np.array([_mean_dose(kind, level, files, grid) for level in levels])
    top = int(np.argmax(curve))  # beyond it a higher level adds nothing
    return [_level_for(dose, kind, levels[: top + 1], curve[: top + 1], files, grid) for dose in wanted]


def _level_for(
    dose: float,
    kind: ShiftKind,
    levels: NDArray[np.float64],
    curve: NDArray[np.float64],
    files: Sequence[CaseFiles],
    grid: Grid,
) -> float:
    """Between the two points of the curve that a dose lies between, halved until it is near."""
    place = int(np.searchsorted(np.maximum.accumulate(curve), dose))
    if place in (0, len(levels)):
        return _rounded(float(levels[min(place, len(levels) - 1)]), kind)
    low, high = levels[place - 1], levels[place]
    for _ in range(HALVINGS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if _mean_dose(kind, middle, files, grid) < dose else (low, middle)
    return _rounded(float(np.sqrt(low * high)), kind)


def _rounded(level: float, kind: ShiftKind) -> float:
    return float(f"{level:.4g}" if WHOLE * kind.highest < level else f"{level:.2g}")


def _mean_dose(kind: ShiftKind, level: float, files: Sequence[CaseFiles], grid: Grid) -> float:
    return float(_doses(AskedShift(kind, float(level)), files, grid, ()).mean())


def _doses(
    asked: AskedShift, files: Sequence[CaseFiles], grid: Grid, landmarks: tuple[float, ...]
) -> NDArray[np.float64]:
    shift = asked.shift(landmarks)
    with ThreadPoolExecutor() as readers:
        return np.array([*readers.map(lambda one: load_case(one, grid, shift).shift_dose, files)])

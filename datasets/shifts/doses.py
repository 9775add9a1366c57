"""Doses: how far shifts move healthy tissue, and the levels at which they move it as far as others do."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.case import CaseFiles
from datasets.grid import Grid, load_case
from datasets.shifts.asked import AskedShift
from datasets.shifts.kind import ShiftKind

POINTS = 24  # of the curve that levels are read off
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
    """For each wanted dose the level that reaches it, to two digits; the most that there is where none does.

    Levels are read off a curve of `POINTS` levels, straight between them on logarithmic axes.
    """
    highest = min(kind.highest, kind.levels[-1] * SEARCHED)
    levels = np.geomspace(kind.levels[0] / SEARCHED, highest, POINTS)
    curve = np.array([_doses(AskedShift(kind, float(level)), files, grid, ()).mean() for level in levels])
    rising = np.maximum.accumulate(curve)
    top = int(np.argmax(rising))  # beyond it a higher level adds nothing
    found = np.exp(np.interp(np.log(wanted), np.log(rising[: top + 1] + 1e-12), np.log(levels[: top + 1])))
    return [float(f"{level:.2g}") for level in found]


def _doses(
    asked: AskedShift, files: Sequence[CaseFiles], grid: Grid, landmarks: tuple[float, ...]
) -> NDArray[np.float64]:
    shift = asked.shift(landmarks)
    with ThreadPoolExecutor() as readers:
        return np.array([*readers.map(lambda one: load_case(one, grid, shift).shift_dose, files)])

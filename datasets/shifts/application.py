"""Applying a shift to one case's image at its stage; masks are never passed in to be changed."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.case import read_only
from datasets.shifts import Shift
from datasets.shifts.registry import NONE, SHIFTS
from datasets.shifts.representation import match_histogram
from datasets.shifts.shift import FloatArray, Stage, View

SEED = 2312  # of all shifts, not of a run: a shifted case is the same in every run


@dataclass(frozen=True)
class CaseShift:
    """A shift of one sequence of a case.

    Attributes:
        channel: the sequence's place among those of the study, 0 for the first: each draws numbers of its own.
    """

    shift: Shift
    case_id: str
    channel: int = 0

    @property
    def stage(self) -> Stage | None:
        """The stage at which it changes the image; None if it does not."""
        if self.shift.name == NONE:
            return None
        found = SHIFTS[kind_name(self.shift.name)]
        return None if self.shift.severity == found.identity else found.stage

    def acquired(
        self, image: NDArray[np.generic], brain_mask: NDArray[np.bool_], spacing: NDArray[np.float64]
    ) -> FloatArray:
        """The shifted magnitudes of a scan at its own resolution; `(X, Y, Z)`, 0 outside the brain."""
        x, y, z = spacing.tolist()
        changed = self._changed(
            View(read_only(np.asarray(image, dtype=np.float32)), read_only(brain_mask), (x, y, z), self._rng())
        )
        return np.where(brain_mask, changed, np.float32(0))

    def represented(
        self,
        image: FloatArray,
        brain_mask: NDArray[np.bool_],
        spacing: float,
        percentiles: tuple[float, float],
        rescaled: Callable[[tuple[float, float]], FloatArray],
    ) -> FloatArray:
        """The shifted image on the grid; in [0, 1], 0 outside the brain."""
        edges, rng = (spacing, spacing, spacing), self._rng()
        view = View(read_only(image), read_only(brain_mask), edges, rng, self.shift.landmarks, percentiles, rescaled)
        return np.where(brain_mask, np.clip(self._changed(view), 0, 1), np.float32(0))

    def matched(self, image: FloatArray, brain_mask: NDArray[np.bool_]) -> FloatArray:
        """The image on the grid, its histogram moved onto the landmarks of `shift.matched` if there are any."""
        return match_histogram(image, brain_mask, self.shift.matched) if self.shift.matched else image

    def _changed(self, view: View) -> FloatArray:
        found = SHIFTS[kind_name(self.shift.name)]
        changed = np.asarray(found.change(view, self.shift.severity), dtype=np.float32)
        if changed.shape != view.image.shape or not np.isfinite(changed[view.brain_mask]).all():
            raise ValueError(
                f"Shift '{found.name}' of case '{self.case_id}': got shape {changed.shape} or values that are not "
                f"finite, expected finite ones of shape {view.image.shape}."
            )
        return changed

    def _rng(self) -> np.random.Generator:
        """Seeded by kind, case and sequence, not by level: levels of one kind differ in severity only."""
        further = f"\0{self.channel}" if self.channel else ""
        mixed = hashlib.sha256(f"{SEED}\0{kind_name(self.shift.name)}\0{self.case_id}{further}".encode()).digest()
        return np.random.default_rng(int.from_bytes(mixed[:16], "big"))


def kind_name(name: str) -> str:
    """The kind's name: `transfer` of `transfer[oasis]`."""
    return name.partition("[")[0]


def dose(shifted: FloatArray, unshifted: FloatArray, healthy: NDArray[np.bool_]) -> float:
    """Mean |shifted - unshifted| over healthy tissue; NaN without any.

    Args:
        shifted, unshifted: `(X, Y, Z)` in [0, 1].
        healthy: `(X, Y, Z)`, the brain without lesion.
    """
    return float(np.abs(shifted[healthy] - unshifted[healthy]).mean(dtype=np.float64)) if healthy.any() else np.nan

"""Shift, a change of appearance at one level and part of a cell's key; ShiftKind and View, for those who add one."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Stage = Literal["acquisition", "representation"]
FloatArray = NDArray[np.float32]
MATCHED = "+match"
"""Ends the label of a shift after which the histogram is matched."""


@dataclass(frozen=True)
class Shift:
    """A kind of change at one level; the default, none, is the identity bit for bit.

    Attributes:
        name: of the kind, with the cohort that it leads to where there is one: `gamma`, `transfer[oasis]`.
        severity: the level in the kind's own unit.
        landmarks: percentiles of the cohort that a histogram is transferred to, sequence after sequence; empty for
            other kinds.
        matched: percentiles onto which the image's own are moved last, before a detector sees it, sequence after
            sequence; empty for none.
        origin: a plugin's distribution and version; "" for a built-in kind.

    Examples:
        >>> Shift("gamma", 0.5).text, Shift().is_none
        ('gamma=0.5', True)
    """

    name: str = "none"
    severity: float = 0.0
    landmarks: tuple[float, ...] = ()
    matched: tuple[float, ...] = ()
    origin: str = ""

    @property
    def label(self) -> str:
        """The name in tables; it says whether the histogram is matched."""
        return f"{self.name}{MATCHED}" if self.matched else self.name

    @property
    def text(self) -> str:
        """Kind, level and arm, as a user would write it: `gamma=0.5`, `gamma=0.5+match`, `none+match`, `none`."""
        level = "" if self.name == "none" else f"={self.severity:g}"
        return f"{self.name}{level}{MATCHED if self.matched else ''}"

    @property
    def is_none(self) -> bool:
        """Whether the image stays unchanged."""
        return self.name == "none" and not self.matched

    def of(self, place: int, count: int) -> "Shift":
        """The shift of the `place`-th of `count` sequences: the same, with the landmarks of that one."""
        own = [marks[place * len(marks) // count :][: len(marks) // count] for marks in (self.landmarks, self.matched)]
        return replace(self, landmarks=own[0], matched=own[1])


@dataclass(frozen=True)
class View:
    """What a shift sees of a scan: the image and where the brain is, and nothing of lesions.

    Attributes:
        image: `(X, Y, Z)` float32. In the stage `acquisition` the unscaled magnitudes at the scan's own
            resolution, possibly with skull; in `representation` [0, 1] on the grid, 0 outside the brain.
        brain_mask: `(X, Y, Z)` bool.
        spacing: voxel edges in mm.
        rng: the same for every level of a kind on one case, so that only the severity differs.
        landmarks: percentiles of the cohort that the shift leads to; empty where it leads to none.
        percentiles: of the brain, that the image is scaled by.
        rescaled: from other percentiles to the image on the grid scaled by them; in `representation` only.
    """

    image: FloatArray
    brain_mask: NDArray[np.bool_]
    spacing: tuple[float, float, float]
    rng: np.random.Generator
    landmarks: tuple[float, ...] = ()
    percentiles: tuple[float, float] = (1.0, 99.0)
    rescaled: Callable[[tuple[float, float]], FloatArray] | None = None


@dataclass(frozen=True)
class ShiftKind:
    """A change of appearance with five named severities.

    Attributes:
        stage: `acquisition` before intensities are scaled, which is then done as usual; `representation` after.
        unit: of a level.
        levels: the five severities that the name alone stands for.
        what: what a level means, in a few words.
        change: a view and a level to the changed image, of the same shape. What it puts outside the brain, and
            outside [0, 1] in the stage `representation`, is cut off afterwards.
        identity: the level at which nothing changes, and nothing is computed.
        lowest, highest: the levels that are possible.
        doses: of the levels, as `python -m datasets doses` measures them; empty if not measured.
        calibrated: whether the levels were searched to reach the common doses; else they are published or round
            numbers.
        to_cohort: whether the shift leads to a cohort, which its name has to give: `name[COHORT]`.
        module: of an extra, see `datasets.errors.EXTRAS`, without which it cannot be computed; "" for none.

    Examples:
        >>> from datasets.shifts.registry import SHIFTS
        >>> SHIFTS["blur"].stage, len(SHIFTS["blur"].levels)
        ('acquisition', 5)
    """

    name: str
    title: str
    stage: Stage
    unit: str
    levels: tuple[float, ...]
    what: str
    change: Callable[[View, float], NDArray[Any]] = field(repr=False)
    identity: float = 0.0
    lowest: float = 0.0
    highest: float = inf
    doses: tuple[float, ...] = ()
    calibrated: bool = True
    to_cohort: bool = False
    module: str = ""

"""CaseFiles (where one scan lies) and Case (one scan on the common grid, as NumPy arrays)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


@dataclass(frozen=True)
class CaseFiles:
    """Paths of one scan and its masks; `lesion_mask` None means healthy.

    Attributes:
        host: the same scan without its lesion; None where that is not known.
    """

    case_id: str
    image: Path
    brain_mask: Path
    lesion_mask: Path | None
    subject_id: str
    site: str
    split: Split
    host: Path | None = None

    @property
    def healthy(self) -> bool:
        return self.lesion_mask is None


@dataclass(frozen=True)
class Masks:
    """Where a case's brain and lesion lie, without its image; attributes as of a Case."""

    brain_mask: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_] | None
    spacing: tuple[float, float, float]
    voxel_ml: float
    lesion_outside_grid_ml: float


@dataclass(frozen=True)
class Case:
    """One scan on the common grid; RAS+ voxel axes.

    Attributes:
        image: `(1, X, Y, Z)` float32 in [0, 1], 0 outside the brain.
        brain_mask: `(X, Y, Z)` bool.
        lesion_mask: `(X, Y, Z)` bool; None for a healthy case.
        affine: `(4, 4)` float64, voxel index to mm.
        lesion_outside_grid_ml: lesion volume that the grid's box cuts off; it can only be missed.
        shift_dose: mean |shifted - unshifted image| over the brain's healthy tissue; 0 without shift.
    """

    case_id: str
    image: NDArray[np.float32]
    brain_mask: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_] | None
    affine: NDArray[np.float64]
    lesion_outside_grid_ml: float = 0.0
    shift_dose: float = 0.0

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing)) / 1000

"""One scan at each stage: RawCase in a download, CaseFiles in the prepared layout, Case on the common grid."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")
SEQUENCES = ("t1", "t1ce", "t2", "flair")  # in the order in which they are listed
AND = "+"  # joins the sequences of a study of several: t1+flair
MASKS = ("brain_mask", "lesion_mask", "ignore_mask")
Space = Literal["scanner", "mni", "sri24"]
Array = TypeVar("Array", bound=NDArray[Any])


@dataclass(frozen=True)
class Labels:
    """What the values of a lesion mask's file mean; values that are not declared are refused.

    Attributes:
        lesion: of lesion voxels.
        ignored: of voxels that no score counts, neither as lesion nor as healthy.
        background: all others that there may be.
    """

    lesion: tuple[int, ...] = (1,)
    ignored: tuple[int, ...] = ()
    background: tuple[int, ...] = (0,)

    @property
    def declared(self) -> tuple[int, ...]:
        return (*self.background, *self.lesion, *self.ignored)

    def __str__(self) -> str:
        """Such as `0 (background), 1 (lesion)`."""
        named = {"background": self.background, "lesion": self.lesion, "ignored": self.ignored}
        return ", ".join(f"{', '.join(map(str, values))} ({name})" for name, values in named.items() if values)


BINARY = Labels()
"""0 and 1; of soft edges between them what is above a half is lesion."""


@dataclass(frozen=True)
class RawCase:
    """Where one scan lies in a download, and how far it has been processed already.

    Attributes:
        images: a file for each sequence, e.g. `{"t1": ..., "t2": ...}`; they may lie on grids of their own. Where
            `unpack` is set, these and the masks are the folders that hold what is unpacked.
        lesion_mask: drawn on the grid of the image `drawn_on`; None for a healthy case.
        labels: of the lesion mask; None where a mask of 0 and 1 was interpolated: above half of its maximum is lesion.
        brain_mask: on the grid of `drawn_on` too; None where the brain has to be found.
        space: what the images are registered to; `scanner` for nothing.
        stripped: whether everything outside the brain is 0.
        corrected: whether the bias field is removed.
        aligned: whether all sequences share one grid already.
        age: in years; None where unknown.
        sex: "F", "M" or "" where unknown.
        unpack: writes what is not NIfTI yet (slices in other formats) into a scratch folder and returns the case
            with those files; None where every file is NIfTI.
    """

    case_id: str
    subject_id: str
    images: Mapping[str, Path]
    drawn_on: str
    site: str = ""
    age: float | None = None
    sex: str = ""
    licence: str = ""
    lesion_mask: Path | None = None
    labels: Labels | None = BINARY
    brain_mask: Path | None = None
    space: Space = "scanner"
    stripped: bool = False
    corrected: bool = False
    aligned: bool = False
    unpack: "Callable[[Path], RawCase] | None" = field(default=None, repr=False)


@dataclass(frozen=True)
class RawCohort:
    """What a download holds.

    Attributes:
        cases: those that can be prepared, in the order of their names.
        problems: a line for each thing that was skipped, such as a scan without its mask.
    """

    cases: tuple[RawCase, ...]
    problems: tuple[str, ...] = ()


COVARIATES = {"age": 1, "sex": 1, "spacing": 3}
"""What may be known of a case beside its image, and how many numbers it is; see `Case.covariates`."""
OLDEST = 120.0  # years; what is above is no age


@dataclass(frozen=True)
class Person:
    """Who was scanned: age in years, None where unknown, and sex, "F", "M" or "" where unknown."""

    age: float | None = None
    sex: str = ""


def person_of(row: Mapping[str, str | None]) -> Person:
    """Of the columns `age` and `sex` of a row; what is no age and no sex is unknown."""
    try:
        age = float(row.get("age") or "nan")
    except ValueError:
        age = float("nan")
    sex = (row.get("sex") or "").strip().upper()[:1]
    return Person(age if 0 < age <= OLDEST else None, sex if sex in ("F", "M") else "")


@dataclass(frozen=True)
class CaseFiles:
    """Paths of one scan and its masks; `lesion_mask` None means healthy.

    Attributes:
        ignore_mask: voxels that no score counts, neither as lesion nor as healthy; None where there are none.
        labels: of the lesion mask's file, which may hold voxels to be ignored, too.
        host: the same scan without its lesion; None where that is not known.
        person: who was scanned, for methods that declare covariates.
        further: the files of the same scan's further sequences, each with the masks of this one; see `channels`.
    """

    case_id: str
    image: Path
    brain_mask: Path
    lesion_mask: Path | None
    subject_id: str
    site: str
    split: Split
    host: Path | None = None
    ignore_mask: Path | None = None
    labels: Labels = BINARY
    person: Person = Person()
    further: "tuple[CaseFiles, ...]" = ()

    @property
    def channels(self) -> "tuple[CaseFiles, ...]":
        """The files of each sequence by itself, in the order of the image's channels."""
        return (replace(self, further=()), *self.further) if self.further else (self,)

    @property
    def paths(self) -> dict[str, Path]:
        """By field the files that are named, those of further sequences left out."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Path)}

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
    ignore_mask: NDArray[np.bool_] | None = None
    lost_lesions_ml: tuple[float, ...] = ()


@dataclass(frozen=True)
class Case:
    """One scan on the common grid; RAS+ voxel axes.

    Attributes:
        image: `(C, X, Y, Z)` float32 in [0, 1], 0 outside the brain; a channel for each sequence, scaled by itself.
        brain_mask: `(X, Y, Z)` bool.
        lesion_mask: `(X, Y, Z)` bool; None for a healthy case.
        affine: `(4, 4)` float64, voxel index to mm.
        lesion_outside_grid_ml: lesion volume that the grid's box cuts off; no map can find it.
        ignore_mask: `(X, Y, Z)` bool, voxels that no score counts; None where there are none. Methods do not see it.
        lost_lesions_ml: volume inside the box, at the scan's own resolution, of each lesion too small to leave a
            voxel on the grid; no map can find it either.
        covariates: those that a method's card declares, NaN where unknown: `age` in years, `sex` 0 for female and 1 for
            male, `spacing` the scan's own voxel edges in mm before it was brought onto the grid. Empty for all others.
        shift_dose: mean |shifted - unshifted image| over the brain's healthy tissue and the sequences; 0 without shift.

    Examples:
        >>> image = np.full((1, 8, 8, 4), 0.5, dtype=np.float32)
        >>> case = Case("a", image, image[0] > 0, None, np.diag([2.0, 2.0, 2.0, 1.0]))
        >>> case.spacing, case.voxel_ml
        ((2.0, 2.0, 2.0), 0.008)
    """

    case_id: str
    image: NDArray[np.float32]
    brain_mask: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_] | None
    affine: NDArray[np.float64]
    lesion_outside_grid_ml: float = 0.0
    shift_dose: float = 0.0
    ignore_mask: NDArray[np.bool_] | None = None
    lost_lesions_ml: tuple[float, ...] = ()
    covariates: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Voxel edge lengths in mm."""
        x, y, z = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(x), float(y), float(z)

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing)) / 1000


def shown_slice(case: Case) -> int:
    """Index of the axial slice to show: the one with the most lesion; without lesion the brain's middle one."""
    if case.lesion_mask is not None and case.lesion_mask.any():
        return int(case.lesion_mask.sum(axis=(0, 1)).argmax())
    with_brain = np.flatnonzero(case.brain_mask.any(axis=(0, 1)))
    return int(with_brain[len(with_brain) // 2]) if with_brain.size else case.brain_mask.shape[2] // 2


def read_only(volume: Array) -> Array:
    """The same voxels, not copied, for functions that may not change them: one that writes into them fails."""
    view = volume.view()
    view.setflags(write=False)
    return view

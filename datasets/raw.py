"""RawCase and RawCohort: scans as their cohort's download holds them, before any preparation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

Space = Literal["scanner", "mni", "sri24"]


@dataclass(frozen=True)
class RawCase:
    """Where one scan lies in a download, and what has been done to it already.

    Attributes:
        images: a file for each sequence, e.g. `{"t1": ..., "t2": ...}`; they may lie on grids of their own. Where
            there is something to unpack, these and the masks are the folders with what is unpacked.
        lesion_mask: drawn on the grid of the image `drawn_on`; None for a healthy case.
        lesion_labels: values of the mask's file that are lesion; empty: everything above half of its maximum.
        brain_mask: on the grid of `drawn_on` too; None where the brain has to be found.
        space: what the images are registered to; `scanner` for nothing.
        stripped: whether everything outside the brain is 0.
        corrected: whether the bias field is removed.
        aligned: whether all sequences share one grid already.
        age: in years; None where unknown.
        sex: "F", "M" or "" where unknown.
        unpack: given a scratch folder, writes what is not NIfTI yet (slices in other formats) there and returns the
            case with those files; None where nothing has to be done.
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
    lesion_labels: tuple[int, ...] = field(default=())
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
        problems: a line for each thing that was passed over, such as a scan without its partner.
    """

    cases: tuple[RawCase, ...]
    problems: tuple[str, ...] = ()

"""prepare_scan: one raw case to volumes in the template's box, in memory, with the parameters a user may choose."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.case import RawCase
from datasets.errors import BadFile, BadValue
from datasets.io.nifti import Lattice, Matrix, Volume, read_volume
from datasets.preparation.bias import correct_bias
from datasets.preparation.lesions import LesionVolumes, move_lesion_mask, move_mask, read_lesion_mask
from datasets.preparation.registration import register
from datasets.preparation.resampling import check_same_lattice, read_scan, resample, resample_mask, upright_lattice
from datasets.preparation.stripping import Stripper, brain_of_stripped_scan, check_brain, find_brain
from datasets.preparation.template import Template

log = logging.getLogger(__name__)

PIPELINE = 2
"""Raised whenever the same scan and parameters give other voxels, so that kept cases are prepared again."""
LEAST_MM, MOST_MM = 0.5, 4.0
WORKING_MM = 1.0
LEAST_OVERLAP, GOOD_OVERLAP = 0.7, 0.85


@dataclass(frozen=True)
class Parameters:
    """The choices of a user that change prepared voxels.

    Attributes:
        spacing: voxel edge in mm of the prepared volumes.
        bias_correction: whether N4 is applied to images not yet corrected.
    """

    spacing: float = 1.0
    bias_correction: bool = True

    def __post_init__(self) -> None:
        if not LEAST_MM <= self.spacing <= MOST_MM:
            raise BadValue(f"--spacing: got {self.spacing:g} mm, expected {LEAST_MM:g} to {MOST_MM:g}.")


@dataclass(frozen=True)
class Setup:
    """What all cases of one preparation share.

    Attributes:
        threads: for one case.
    """

    template: Template
    stripper: Stripper
    parameters: Parameters
    threads: int = 1


@dataclass(frozen=True)
class PreparedScan:
    """One case in the template's box.

    Attributes:
        images: each sequence `(X, Y, Z)` float32, 0 outside the brain.
        lesion_mask: None for a healthy case.
        ignore_mask: voxels that no score counts; None where there are none.
        lattice: of all of them.
        to_scan: per sequence `(4, 4)`, from the template's mm to the scan's own mm.
        brain_ml: in the scan's own space.
        overlap: Dice of the brain mask and the template's.
        seconds: of each step.
        warnings: for a person to look at.
    """

    images: Mapping[str, NDArray[np.float32]]
    brain_mask: NDArray[np.bool_]
    lesion_mask: NDArray[np.bool_] | None
    ignore_mask: NDArray[np.bool_] | None
    lattice: Lattice
    to_scan: Mapping[str, Matrix]
    brain_ml: float
    overlap: float
    lesion: LesionVolumes | None
    seconds: Mapping[str, float]
    warnings: tuple[str, ...]


def prepare_scan(raw: RawCase, setup: Setup) -> PreparedScan:
    """Register, strip, resample and bias-correct one case; every voxel is interpolated once.

    Raises:
        UserError: a file cannot be used, no brain is found, or the registration fails.
    """
    clock = Stopwatch(raw.case_id)
    with clock.step("read"):
        scans = {name: read_scan(path) for name, path in raw.images.items()}
        _check_lattices(raw, scans)
    first = _reference(raw)
    with clock.step("co-register"):
        to_sequence = {name: _to_sequence(raw, first, name, scans) for name in scans}
    with clock.step("strip"):
        brain = _brain(raw, first, to_sequence, scans, setup)
        brain_ml = check_brain(brain, raw.images[first].name)
    with clock.step("register"):
        to_first = _to_scan(raw, scans[first], brain, setup)
    lattice = setup.template.box(setup.parameters.spacing)
    to_scan = {name: to_sequence[name] @ to_first for name in scans}
    with clock.step("resample"):
        brain_mask = resample_mask(brain, lattice, to_first)
        images = {name: resample(scans[name], lattice, to_scan[name], order=3, where=brain_mask) for name in scans}
    with clock.step("bias"):
        images = {name: _correct_and_mask(raw, images[name], brain_mask, setup.parameters) for name in images}
    with clock.step("lesion"):
        lesion_mask, ignore_mask, lesion = _lesion(raw, scans[raw.drawn_on].lattice, lattice, to_scan, brain_mask)
    overlap = _overlap(brain_mask, lattice, setup.template)
    return PreparedScan(
        images, brain_mask, lesion_mask, ignore_mask, lattice, to_scan, brain_ml, overlap, lesion, clock.seconds,
        _warnings(overlap, lesion),
    )  # fmt: skip


class Stopwatch:
    """Seconds of named steps of a case; each is logged when it begins."""

    def __init__(self, case_id: str) -> None:
        self.case_id = case_id
        self.seconds: dict[str, float] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        log.info("  %s: %s", self.case_id, name)
        begin = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - begin, 3)


def _check_lattices(raw: RawCase, scans: Mapping[str, Volume]) -> None:
    if raw.drawn_on not in scans:
        raise BadValue(f"Case {raw.case_id}: got masks drawn on {raw.drawn_on}, expected one of {', '.join(scans)}.")
    drawn_on = raw.images[raw.drawn_on]
    if raw.aligned:
        for name, scan in scans.items():
            check_same_lattice(raw.images[name], scan, drawn_on, scans[raw.drawn_on].lattice)


def _reference(raw: RawCase) -> str:
    """The sequence that is registered to the template: T1 if there is one, since the template is T1."""
    return "t1" if "t1" in raw.images else raw.drawn_on


def _to_sequence(raw: RawCase, first: str, name: str, scans: Mapping[str, Volume]) -> Matrix:
    """From the reference's mm to another sequence's: a rigid registration that starts from scanner coordinates."""
    if name == first or raw.aligned or raw.space != "scanner":
        return np.eye(4)
    return register(scans[first], scans[name], kind="rigid", initial=np.eye(4))


def _brain(
    raw: RawCase,
    first: str,
    to_sequence: Mapping[str, Matrix],
    scans: Mapping[str, Volume],
    setup: Setup,
) -> Volume:
    """The brain mask in the reference's mm, on the voxels on which it was found."""
    if raw.brain_mask is not None:
        mask = read_volume(raw.brain_mask, as_stored=True)
        check_same_lattice(raw.brain_mask, mask, raw.images[raw.drawn_on], scans[raw.drawn_on].lattice)
        half = max(float(mask.data.max()), 0.0) / 2
        found = np.asarray(mask.data > half)
        return Volume(found, np.linalg.inv(to_sequence[raw.drawn_on]) @ mask.affine)
    if raw.stripped or setup.stripper.name == "none":
        return Volume(brain_of_stripped_scan(scans[first]), scans[first].affine)
    if setup.stripper.name == "mask":
        raise BadFile(f"{raw.images[first]}: got no brain mask with it, expected one for --stripper mask.")
    working = _working(scans[first])
    return Volume(find_brain(working, setup.stripper, threads=setup.threads), working.affine)


def _working(scan: Volume) -> Volume:
    """The scan on cubic voxels with axes along RAS+, which every stripper can read."""
    lattice = upright_lattice(scan.lattice, WORKING_MM)
    return Volume(resample(scan, lattice, order=1), lattice.affine)


def _to_scan(raw: RawCase, scan: Volume, brain: Volume, setup: Setup) -> Matrix:
    """From the template's mm to the reference's; brains are registered, not heads."""
    if raw.space == "sri24":
        return np.eye(4)
    stripped = Volume(scan.data * resample_mask(brain, scan.lattice), scan.affine)
    return register(setup.template.image, stripped, kind="affine")


def _correct_and_mask(
    raw: RawCase, image: NDArray[np.float32], brain_mask: NDArray[np.bool_], parameters: Parameters
) -> NDArray[np.float32]:
    """Correct the bias field if required, and set everything outside the brain to 0."""
    image = np.asarray(image, dtype=np.float32)
    if parameters.bias_correction and not raw.corrected:
        image = correct_bias(image, brain_mask, parameters.spacing)
    return np.where(brain_mask, image, np.float32(0))


def _lesion(
    raw: RawCase, drawn_on: Lattice, lattice: Lattice, to_scan: Mapping[str, Matrix], brain_mask: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None, LesionVolumes | None]:
    """The masks of lesion and of what is to be ignored, and their volumes; None where there is none."""
    if raw.lesion_mask is None:
        return None, None, None
    lesion, ignored = read_lesion_mask(raw.lesion_mask, raw.labels)
    check_same_lattice(raw.lesion_mask, lesion, raw.images[raw.drawn_on], drawn_on)
    to_source = to_scan[raw.drawn_on]
    moved, volumes = move_lesion_mask(lesion, lattice, to_source, brain_mask)
    if ignored is None:
        return moved, None, volumes
    volumes = replace(volumes, ignored=float(ignored.data.sum()) * ignored.lattice.voxel_ml)
    ignore_mask = move_mask(ignored, lattice, to_source) & ~moved
    return moved, ignore_mask if ignore_mask.any() else None, volumes


def _overlap(brain_mask: NDArray[np.bool_], lattice: Lattice, template: Template) -> float:
    """Dice of the two brains.

    Raises:
        BadFile: they hardly overlap, so the registration has failed.
    """
    expected = resample_mask(Volume(template.image.data > 0, template.image.affine), lattice)
    dice = 2 * float((brain_mask & expected).sum()) / max(float(brain_mask.sum() + expected.sum()), 1.0)
    if dice < LEAST_OVERLAP:
        raise BadFile(f"Registration: got a brain that overlaps the template's by Dice {dice:.2f}, expected "
                      f"{LEAST_OVERLAP} or more.")  # fmt: skip
    return dice


def _warnings(overlap: float, lesion: LesionVolumes | None) -> tuple[str, ...]:
    found = []
    if overlap < GOOD_OVERLAP:
        found.append(f"brain overlaps the template's by Dice {overlap:.2f}, expected {GOOD_OVERLAP} or more")
    if lesion is not None and lesion.warning:
        found.append(lesion.warning)
    return tuple(found)

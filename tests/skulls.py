"""Simulated heads with a skull, in any orientation, and the template that they are registered to."""

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import RawCase
from datasets.io.nifti import Volume, write_volume
from datasets.simulation.phantom.subject import SubjectNumber, draw_subject

SPACING = 4.0


@dataclass(frozen=True)
class Head:
    """One simulated brain on voxels of 4 mm, and the shell about it.

    Attributes:
        stripped: t1 without the skull; float32.
        head: with the skull.
    """

    stripped: Volume
    head: Volume
    brain_mask: Volume
    lesion_mask: Volume
    healthy: Volume
    """t1 of the same brain without its lesions, and without the skull."""


def draw_head(index: int = 0) -> Head:
    """A brain with lesions; with another `index` another one."""
    subject = draw_subject(SubjectNumber(False, index), spacing=SPACING, seed=1)
    affine = subject.anatomy.lattice.affine
    brain = subject.anatomy.brain_mask.astype(bool)
    stripped, healthy = (one.scan()["t1"].astype(np.float32) for one in (subject, subject.without_lesions()))
    inner, outer = ndimage.binary_dilation(brain, iterations=1), ndimage.binary_dilation(brain, iterations=3)
    skull = np.where(outer & ~inner, np.float32(230), np.float32(0))
    lesion = subject.lesions.lesion_mask.astype(bool)
    return Head(*(Volume(data, affine) for data in (stripped, stripped + skull, brain, lesion, healthy)))


def moved(volume: Volume, matrix: NDArray[np.float64]) -> Volume:
    """The same voxels somewhere else: the head is turned, not interpolated."""
    return Volume(volume.data, matrix @ volume.affine)


def turn(
    degrees: tuple[float, float, float], scale: tuple[float, float, float], shift: tuple[float, float, float]
) -> NDArray[np.float64]:
    """A `(4, 4)` matrix that scales, turns about x, y and z, and shifts by mm."""
    x, y, z = np.radians(degrees)
    about_x = [[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]]
    about_y = [[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]]
    about_z = [[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(about_z) @ np.array(about_y) @ np.array(about_x) @ np.diag(scale)
    matrix[:3, 3] = shift
    return matrix


def reoriented(path: Path, codes: str, to: Path) -> None:
    """The scan with its voxel axes along `codes`, such as LPS; every voxel stays where it is in mm."""
    nifti = nibabel.loadsave.load(path)
    there = nibabel.orientations.axcodes2ornt(tuple(codes))
    here = nibabel.orientations.io_orientation(nifti.affine)
    nifti.as_reoriented(nibabel.orientations.ornt_transform(here, there)).to_filename(to)


def write_template(folder: Path) -> Path:
    path = folder / "template.nii.gz"
    write_volume(path, draw_head().stripped, np.float32)
    return path


def write_raw(folder: Path, case_id: str, head: Head, matrix: NDArray[np.float64], *, healthy: bool = False) -> RawCase:
    """A head, its brain mask and its lesions as files of a download."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {kind: folder / f"{case_id}_{kind}.nii.gz" for kind in ("t1", "brain", "lesion")}
    write_volume(files["t1"], moved(head.head, matrix), np.float32)
    write_volume(files["brain"], moved(head.brain_mask, matrix))
    write_volume(files["lesion"], moved(head.lesion_mask, matrix))
    return RawCase(
        case_id=case_id,
        subject_id=case_id.split("-")[0],
        images={"t1": files["t1"]},
        drawn_on="t1",
        site="here",
        age=41.5,
        sex="F",
        licence="none",
        lesion_mask=None if healthy else files["lesion"],
        brain_mask=files["brain"],
        corrected=True,
    )

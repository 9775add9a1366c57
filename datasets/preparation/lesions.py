"""Lesion masks: split by their labels, moved in place and volume, and the volume checked."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import Labels
from datasets.errors import BadFile
from datasets.io.labels import split_interpolated, split_labels
from datasets.io.nifti import Lattice, Matrix, Volume, read_volume
from datasets.preparation.resampling import resample
from datasets.sampling import CONNECTED, most_covered

WARN_PERCENT = 5.0
WARN_ML = 0.05


@dataclass(frozen=True)
class LesionVolumes:
    """A case's lesion volume in ml, before and after.

    Attributes:
        before: on the voxels it was drawn on.
        expected: `before` times the volume scaling of the affine registration.
        after: on the prepared volume's voxels.
        outside_brain: the part of `after` outside the brain mask; it stays in the lesion mask.
        ignored: what no score counts, on the voxels it was drawn on.
    """

    before: float
    expected: float
    after: float
    outside_brain: float
    ignored: float = 0.0

    @property
    def change_percent(self) -> float:
        """Change from before to after, scaling included."""
        return 100 * (self.after / self.before - 1)

    @property
    def resampling_percent(self) -> float:
        """Change apart from scaling: whole voxels, and what the box cuts off."""
        return 100 * (self.after / self.expected - 1)

    @property
    def warning(self) -> str:
        """A line if resampling changed the volume by more than 5 % and 0.05 ml, else ""."""
        if abs(self.resampling_percent) <= WARN_PERCENT or abs(self.after - self.expected) <= WARN_ML:
            return ""
        return (
            f"lesion volume: got {self.after:.3f} ml, expected {self.expected:.3f} ml "
            f"({self.before:.3f} ml as drawn, scaled by the registration): {self.resampling_percent:+.1f} %"
        )


def read_lesion_mask(path: Path, labels: Labels | None) -> tuple[Volume, Volume | None]:
    """The voxels that are lesion, and those to be ignored, if any, as bool; see `RawCase.labels`.

    Raises:
        BadFile: the file cannot be used, holds a label that is not declared, or no lesion.
    """
    volume = read_volume(path, as_stored=True)
    if labels is None:
        lesion, ignored = split_interpolated(path, volume.data), None
    else:
        lesion, ignored = split_labels(path, volume.data, labels, volume.lattice.voxel_ml)
    if not lesion.any():
        expected = f"voxels of {', '.join(map(str, labels.lesion))}" if labels else "some voxels above 0"
        found = ", ".join(f"{value:g}" for value in np.unique(volume.data)[:6])
        raise BadFile(f"{path}: got a lesion mask without lesion (values {found}), expected {expected}.")
    return Volume(lesion, volume.affine), None if ignored is None else Volume(ignored, volume.affine)


def move_mask(mask: Volume, lattice: Lattice, to_source: Matrix) -> NDArray[np.bool_]:
    """A mask on `lattice`: of each 26-connected part the voxels that it covers most, as many as its volume asks for.

    Nearest neighbours would move a mask by half a voxel where new voxels lie midway between old ones; a threshold on
    interpolated values would shrink small lesions.
    """
    result = np.zeros(lattice.shape, dtype=bool)
    to_voxel = np.linalg.inv(to_source @ lattice.affine) @ mask.affine
    growth = abs(float(np.linalg.det(to_voxel[:3, :3])))
    labels, _ = ndimage.label(mask.data, CONNECTED)
    margin = np.ceil(1 + 2 * np.abs(np.linalg.inv(to_voxel)[:3, :3]).sum(axis=1)).astype(int)  # two new voxels
    for label, place in enumerate(ndimage.find_objects(labels), start=1):
        part = np.pad(labels[place] == label, [(one, one) for one in margin])
        start = np.array([one.start for one in place]) - margin
        places = (np.argwhere(part) + start) @ to_voxel[:3, :3].T + to_voxel[:3, 3]
        inside = ((places > -0.5) & (places < np.array(lattice.shape) - 0.5)).all(axis=1)
        low = np.floor(places.min(axis=0) - 2).astype(int).clip(0, lattice.shape)
        high = np.ceil(places.max(axis=0) + 3).astype(int).clip(low, lattice.shape)
        source = Volume(part.astype(np.float32), mask.affine @ _moved_by(start))
        x, y, z = (high - low).tolist()
        there = Lattice((x, y, z), lattice.affine @ _moved_by(low))
        covered = resample(source, there, to_source, order=1).astype(np.float64).round(4)
        if not covered.any():
            continue
        covered *= float(inside.sum()) * growth / covered.sum()
        found = most_covered(covered, partial(_blurred, covered))
        if not found.any() and covered.sum() >= 0.5:  # all that it covers are equal, and too many
            found.flat[covered.argmax()] = True
        result[tuple(map(slice, low, high))] |= found
    return result


def _blurred(covered: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(ndimage.gaussian_filter(covered, 1.0).round(9))


def _moved_by(voxels: NDArray[np.int_]) -> Matrix:
    matrix = np.eye(4)
    matrix[:3, 3] = voxels
    return matrix


def move_lesion_mask(
    lesion: Volume, lattice: Lattice, to_source: Matrix, brain_mask: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], LesionVolumes]:
    """`move_mask` of a lesion mask, and its volumes."""
    moved = move_mask(lesion, lattice, to_source)
    before = float(lesion.data.sum()) * lesion.lattice.voxel_ml
    growth = 1 / abs(float(np.linalg.det(to_source[:3, :3])))
    volumes = LesionVolumes(
        before=before,
        expected=before * growth,
        after=float(moved.sum()) * lattice.voxel_ml,
        outside_brain=float((moved & ~brain_mask).sum()) * lattice.voxel_ml,
    )
    return moved, volumes

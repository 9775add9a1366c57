"""Library: a user's own lesion masks as shapes, from NIfTI files or one packed array file."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.errors import BadFile, MissingData
from datasets.simulation.implants.shapes import Around, Volume, rotation

NEAREST = 20  # masks of about the wanted volume to draw from: a lesion's shape goes with its size
MARGIN = 4  # voxels about a mask within which its distances are known
BITS_SET = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)  # of every byte
PACKED = ("packed", "shape", "affine", "ids")


@dataclass(frozen=True)
class LesionMask:
    """One lesion mask of a library, cut to its bounding box."""

    name: str
    mask: NDArray[np.bool_]
    spacing: tuple[float, float, float]

    def depth(self, around: Around, rng: np.random.Generator) -> Volume:
        """As a family: the mask's signed distance, turned, mirrored and scaled to the wanted volume."""
        inside = ndimage.distance_transform_edt(self.mask, sampling=self.spacing)
        signed = inside - ndimage.distance_transform_edt(~self.mask, sampling=self.spacing)
        ml = float(self.mask.sum() * np.prod(self.spacing))
        scale = around.radius / np.cbrt(ml * 3 / 4 / np.pi)
        turned = np.tensordot(rotation(rng), around.offset, axes=1) / scale
        middle = np.argwhere(self.mask).mean(axis=0)
        voxels = turned / np.reshape(self.spacing, (3, 1, 1, 1)) + middle[:, None, None, None]
        near = ndimage.map_coordinates(signed.astype(np.float32), voxels, order=1, mode="nearest")
        clipped = np.clip(voxels, 0, np.reshape(np.array(self.mask.shape) - 1, (3, 1, 1, 1)))
        beyond = np.sqrt((((voxels - clipped) * np.reshape(self.spacing, (3, 1, 1, 1))) ** 2).sum(axis=0))
        return np.asarray((near - beyond) * scale, dtype=np.float32)


@dataclass(frozen=True)
class Library:
    """Masks by volume; each is read when it is drawn.

    Attributes:
        ml: volumes, ascending.
        read: the mask of each.
    """

    ml: NDArray[np.float64]
    read: Sequence[Callable[[], LesionMask]]

    def draw(self, volume_ml: float, rng: np.random.Generator) -> LesionMask:
        """One of the masks whose volumes are the nearest."""
        order = np.argsort(np.abs(np.log(self.ml / volume_ml)), kind="stable")[:NEAREST]
        return self.read[int(order[rng.integers(len(order))])]()


def read_library(path: Path) -> Library:
    """A folder of NIfTI masks, or an `.npz` with `packed` (bits of each mask), `shape`, `affine` and `ids`.

    Raises:
        MissingData: there is no such file or folder, or the folder holds no NIfTI file.
        BadFile: an array is missing or a mask is empty or no mask.
    """
    if path.is_dir():
        found = sorted([*path.glob("*.nii.gz"), *path.glob("*.nii")])
        if not found:
            raise MissingData(f"--shapes {path}: got a folder without NIfTI files, wanted lesion masks (*.nii.gz).")
        return _sorted([(_ml(one := _read_nifti(file)), lambda one=one: one) for file in found])  # type: ignore[misc]
    if not path.is_file():
        raise MissingData(f"--shapes {path}: no such file, wanted an .npz or a folder of NIfTI masks.")
    return _read_packed(path)


def _sorted(masks: Sequence[tuple[float, Callable[[], LesionMask]]]) -> Library:
    masks = sorted(masks, key=lambda one: one[0])
    return Library(np.array([ml for ml, _ in masks]), [read for _, read in masks])


def _ml(mask: LesionMask) -> float:
    return float(mask.mask.sum() * np.prod(mask.spacing)) / 1000


def _read_nifti(path: Path) -> LesionMask:
    try:
        nifti = nibabel.nifti1.load(path)
        data = np.asarray(nifti.dataobj)
    except Exception as error:  # nibabel, gzip and zlib share no base class for a torn file
        raise BadFile(f"{path}: got a file that cannot be read ({error}), wanted a NIfTI lesion mask.") from error
    return _cut(path.name.split(".nii")[0], data > 0.5, nifti.affine, path)


def _read_packed(path: Path) -> Library:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in PACKED if name not in arrays.files]
            if missing:
                raise BadFile(f"{path}: got arrays {', '.join(arrays.files)}, wanted also {', '.join(missing)}.")
            packed, shape, affine, ids = (arrays[name] for name in PACKED)
    except (ValueError, OSError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: got a file that cannot be read ({error}), wanted an .npz of masks.") from error
    size = tuple(int(length) for length in shape)
    if packed.ndim != 2 or packed.shape[1] * 8 < np.prod(size) or len(ids) != len(packed):
        raise BadFile(
            f"{path}: got packed {packed.shape} for {len(ids)} ids of shape {size}, wanted a row of bits each."
        )
    voxel_ml = float(abs(np.linalg.det(affine[:3, :3]))) / 1000
    volumes = [float(BITS_SET[row].sum()) * voxel_ml for row in packed]

    def unpack(index: int) -> LesionMask:
        bits = np.unpackbits(packed[index], count=int(np.prod(size))).reshape(size)
        return _cut(str(ids[index]), bits > 0, affine, path)

    return _sorted([(float(ml), lambda index=index: unpack(index)) for index, ml in enumerate(volumes) if ml > 0])  # type: ignore[misc]


def _cut(name: str, mask: NDArray[np.bool_], affine: NDArray[np.float64], path: Path) -> LesionMask:
    if mask.ndim != 3 or not mask.any():
        raise BadFile(
            f"{path}: got {'an empty mask' if mask.ndim == 3 else f'{mask.ndim}-D data'} ({name}), wanted one."
        )
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    x, y, z = (float(edge) for edge in np.linalg.norm(affine[:3, :3], axis=0))
    return LesionMask(name, np.pad(mask[box], MARGIN), (x, y, z))

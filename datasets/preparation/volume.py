"""Volume: numbers on a lattice in mm, and how raw files are read and prepared ones written."""

import gzip
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from numpy.typing import NDArray

from datasets.errors import BadFile, MissingData

Matrix = NDArray[np.float64]
MOST_VOXELS = 2**29  # 512 million, about 800 along each axis
LEVELS = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Lattice:
    """Where voxels lie: `shape` `(X, Y, Z)` and the `(4, 4)` affine from voxel index to mm."""

    shape: tuple[int, int, int]
    affine: Matrix

    @property
    def spacing(self) -> Matrix:
        """Voxel edge lengths `(3,)` in mm."""
        return np.linalg.norm(self.affine[:3, :3], axis=0)

    @property
    def voxel_ml(self) -> float:
        return abs(float(np.linalg.det(self.affine[:3, :3]))) / 1000


@dataclass(frozen=True)
class Volume:
    """Data `(X, Y, Z)` and the `(4, 4)` affine from voxel index to mm."""

    data: NDArray[Any]
    affine: Matrix

    @property
    def lattice(self) -> Lattice:
        x, y, z = self.data.shape
        return Lattice((x, y, z), self.affine)


def read_volume(path: Path) -> Volume:
    """One scan as it was stored, its voxel axes in the file's own order; trailing axes of length 1 are dropped.

    Raises:
        MissingData: there is no such file.
        BadFile: it is torn, no NIfTI, not 3-D, not real, not finite, or lies nowhere in space.
    """
    if not path.is_file():
        raise MissingData(f"No file {path}.")
    nifti = _opened(path)
    try:
        data = np.asanyarray(nifti.dataobj)
    except Exception as error:  # nibabel, gzip and zlib share no base class for a torn file
        raise _unreadable(path, error) from error
    if data.dtype.kind not in "biuf":
        raise BadFile(f"{path}: got voxels of type {data.dtype}, wanted one real number a voxel.")
    while data.ndim > 3 and data.shape[-1] == 1:
        data = data[..., 0]
    if not np.isfinite(data).all():
        bad = int(data.size - np.isfinite(data).sum())
        raise BadFile(f"{path}: got {bad} voxels that are NaN or infinite, wanted finite intensities.")
    return Volume(data, np.asarray(nifti.affine, dtype=np.float64))


def read_scan(path: Path) -> Volume:
    """An image, which has to hold more than one intensity; float32."""
    volume = read_volume(path)
    low, high = float(volume.data.min()), float(volume.data.max())
    if low == high:
        raise BadFile(f"{path}: got one intensity ({low:g}) throughout, wanted an image.")
    return Volume(np.asarray(volume.data, dtype=np.float32), volume.affine)


def check_same_lattice(path: Path, volume: Volume, image_path: Path, image: Lattice) -> None:
    """Refuse a mask that does not lie on its image's voxels.

    Raises:
        BadFile: another shape, or an affine more than a hundredth of a voxel away at some corner.
    """
    if volume.data.shape != image.shape:
        raise BadFile(f"{path}: got shape {volume.data.shape}, wanted {image.shape} as in {image_path}.")
    corner = np.array([*image.shape, 1.0])
    apart = np.abs((volume.affine - image.affine) @ np.diag(corner)).sum(axis=1)[:3].max()
    if apart > 0.01 * float(image.spacing.min()):
        got, wanted = volume.affine[:3].round(3).tolist(), image.affine[:3].round(3).tolist()
        raise BadFile(f"{path}: got affine {got}, wanted {wanted} as in {image_path}.")


def write_image(path: Path, volume: Volume) -> None:
    """Write as uint16 with slope and intercept: the error is half of (max - min) / 65535."""
    low, high = float(volume.data.min()), float(volume.data.max())
    slope = np.float32((high - low) / LEVELS) or np.float32(1)
    levels = np.clip(np.round((volume.data.astype(np.float64) - low) / slope), 0, LEVELS).astype(np.uint16)
    nifti = _nifti(levels, volume.affine)
    nifti.header.set_slope_inter(slope, low)
    nifti.to_filename(path)


def write_mask(path: Path, volume: Volume) -> None:
    _nifti(volume.data.astype(np.uint8), volume.affine).to_filename(path)


def write_floats(path: Path, volume: Volume) -> None:
    _nifti(volume.data.astype(np.float32), volume.affine).to_filename(path)


def _nifti(data: NDArray[Any], affine: Matrix) -> nibabel.nifti1.Nifti1Image:
    nifti = nibabel.nifti1.Nifti1Image(data, affine)
    nifti.header.set_xyzt_units("mm")
    return nifti


def _opened(path: Path) -> nibabel.nifti1.Nifti1Image:
    """Header first: what it declares is checked before memory is taken for it."""
    try:
        header = nibabel.loadsave.load(path)
    except Exception as error:  # whatever nibabel and gzip raise for a file that is none
        raise _unreadable(path, error) from error
    shape = tuple(int(length) for length in header.shape)
    if len(shape) < 3 or prod(shape[3:]) != 1 or min(shape) < 1:
        raise BadFile(f"{path}: got {len(shape)}-D data {shape}, wanted a 3-D volume.")
    if prod(shape) > MOST_VOXELS:
        raise BadFile(f"{path}: got a header that declares {shape} voxels, wanted at most {MOST_VOXELS} in all.")
    affine = header.affine
    if affine is None or not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise BadFile(f"{path}: got an affine that cannot be inverted, wanted voxel axes in mm.")
    if path.suffix != ".gz" or not isinstance(header, nibabel.nifti1.Nifti1Image):
        return header
    try:  # unpacked whole: only at its end does gzip tell whether what came before is intact
        return type(header).from_bytes(gzip.decompress(path.read_bytes()))
    except Exception as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> BadFile:
    return BadFile(f"{path}: got a file that cannot be read ({error}), wanted an intact NIfTI volume.")

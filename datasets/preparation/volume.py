"""Volume: numbers on a lattice in mm, and how raw files are read and prepared ones written."""

import gzip
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, Literal

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

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


Order = Literal[0, 1, 3]


def onto(
    volume: Volume,
    lattice: Lattice,
    to_source: Matrix | None = None,
    *,
    order: Order,
    where: NDArray[np.bool_] | None = None,
) -> NDArray[Any]:
    """The volume's values at the voxels of `lattice`; 0 outside of it.

    Where voxels fall on voxels nothing is interpolated: the lattice then crops or pads. Before voxels
    are made coarser the image is smoothed (order 1 and 3), so that fine texture does not alias.

    Args:
        to_source: `(4, 4)` from the lattice's mm to the volume's mm; None where both are the same space.
        order: 0 nearest neighbour, 1 trilinear, 3 cubic B-spline (kept within the volume's own range).
        where: `(X, Y, Z)`, the voxels of the lattice that are wanted; the others may come back as 0.
    """
    space = np.eye(4) if to_source is None else to_source
    voxels = np.linalg.inv(volume.affine) @ space @ lattice.affine
    if _whole_voxels(voxels):
        return _shifted(volume.data, np.rint(voxels[:3, 3]).astype(int), lattice.shape)
    source = volume.data
    if order:
        source = _smoothed(np.asarray(source, dtype=np.float32), voxels)
    if where is None:
        result = ndimage.affine_transform(
            source, voxels[:3, :3], voxels[:3, 3], lattice.shape, order=order, mode="constant", cval=0
        )
    else:
        result = np.zeros(lattice.shape, dtype=source.dtype)
        places = voxels[:3, :3] @ np.array(np.nonzero(where)) + voxels[:3, 3:]  # (3, wanted)
        result[where] = ndimage.map_coordinates(source, places, order=order, mode="constant", cval=0)
    if order == 3:
        result = np.clip(result, min(float(volume.data.min()), 0), float(volume.data.max()))
    return np.asarray(result)


def mask_onto(mask: Volume, lattice: Lattice, to_source: Matrix | None = None) -> NDArray[np.bool_]:
    """A brain mask at the voxels of `lattice`: where the trilinear value passes a half, for a smooth surface.

    Not for lesions: a lesion of one voxel would vanish.
    """
    soft = Volume(mask.data.astype(np.float32), mask.affine)
    return np.asarray(onto(soft, lattice, to_source, order=1) > 0.5)


def upright(lattice: Lattice, spacing: float) -> Lattice:
    """The smallest lattice with axes along RAS+ and cubic voxels of `spacing` mm that holds all of `lattice`."""
    corners = np.array(np.meshgrid(*[(-0.5, length - 0.5) for length in lattice.shape])).reshape(3, -1)
    places = lattice.affine[:3, :3] @ corners + lattice.affine[:3, 3:]
    low, high = places.min(axis=1), places.max(axis=1)
    x, y, z = (max(int(np.ceil(length / spacing - 1e-6)), 1) for length in high - low)
    affine = np.diag([spacing, spacing, spacing, 1.0])
    affine[:3, 3] = (low + high) / 2 - spacing * (np.array([x, y, z]) - 1) / 2
    return Lattice((x, y, z), affine)


def _whole_voxels(voxels: Matrix) -> bool:
    turned = np.allclose(voxels[:3, :3], np.eye(3), atol=1e-5)
    return turned and bool(np.allclose(voxels[:3, 3], np.rint(voxels[:3, 3]), atol=1e-3))


def _shifted(data: NDArray[Any], start: NDArray[np.int_], shape: tuple[int, int, int]) -> NDArray[Any]:
    result = np.zeros(shape, dtype=data.dtype)
    taken, filled = [], []
    for first, length, there in zip(start.tolist(), shape, data.shape, strict=True):
        low, high = max(first, 0), max(min(first + length, there), 0)
        taken.append(slice(low, max(high, low)))
        filled.append(slice(low - first, low - first + max(high - low, 0)))
    if all(part.stop > part.start for part in taken):
        result[tuple(filled)] = data[tuple(taken)]
    return result


def _smoothed(data: NDArray[np.float32], voxels: Matrix) -> NDArray[np.float32]:
    """Gaussian along each source axis that the new voxels step over: sigma sqrt(step^2 - 1) / 2.355 voxels."""
    step = np.abs(voxels[:3, :3]).max(axis=1)
    sigma = np.sqrt(np.clip(step**2 - 1, 0, None)) / 2.355
    sigma[step < 1.25] = 0  # hardly coarser: sharpness counts for more
    return ndimage.gaussian_filter(data, sigma) if sigma.any() else data

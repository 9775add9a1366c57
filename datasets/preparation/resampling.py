"""Scans resampled onto another lattice through one composed transform, with one interpolation."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.errors import BadFile
from datasets.io.nifti import Lattice, Matrix, Volume, read_volume

Order = Literal[0, 1, 3]


def read_scan(path: Path) -> Volume:
    """Read an image as float32, its voxel axes in the file's own order.

    Raises:
        MissingData, BadVolume: as `datasets.io.nifti.read_volume`.
        BadFile: it holds one intensity throughout.
    """
    volume = read_volume(path, as_stored=True)
    low, high = float(volume.data.min()), float(volume.data.max())
    if low == high:
        raise BadFile(f"{path}: got one intensity ({low:g}) throughout, expected an image.")
    return Volume(np.asarray(volume.data, dtype=np.float32), volume.affine)


def check_same_lattice(path: Path, volume: Volume, image_path: Path, image: Lattice) -> None:
    """Refuse a mask that is not on its image's voxels.

    Raises:
        BadFile: another shape, or an affine more than a hundredth of a voxel away at some corner.
    """
    if volume.data.shape != image.shape:
        raise BadFile(f"{path}: got shape {volume.data.shape}, expected {image.shape} as in {image_path}.")
    corner = np.array([*image.shape, 1.0])
    apart = np.abs((volume.affine - image.affine) @ np.diag(corner)).sum(axis=1)[:3].max()
    if apart > 0.01 * float(image.spacing.min()):
        got, expected = volume.affine[:3].round(3).tolist(), image.affine[:3].round(3).tolist()
        raise BadFile(f"{path}: got affine {got}, expected {expected} as in {image_path}.")


def resample(
    volume: Volume,
    lattice: Lattice,
    to_source: Matrix | None = None,
    *,
    order: Order,
    where: NDArray[np.bool_] | None = None,
) -> NDArray[Any]:
    """The volume's values at the voxels of `lattice`; 0 outside of it.

    If voxels coincide with voxels nothing is interpolated: the lattice only crops or pads. Before downsampling the
    image is smoothed (order 1 and 3) against aliasing.

    Args:
        to_source: `(4, 4)` from the lattice's mm to the volume's mm; None where both are the same space.
        order: 0 nearest neighbour, 1 trilinear, 3 cubic B-spline (kept within the volume's own range).
        where: `(X, Y, Z)`, the voxels to compute; the others are 0.
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
        places = voxels[:3, :3] @ np.array(np.nonzero(where)) + voxels[:3, 3:]  # (3, expected)
        result[where] = ndimage.map_coordinates(source, places, order=order, mode="constant", cval=0)
    if order == 3:
        result = np.clip(result, min(float(volume.data.min()), 0), float(volume.data.max()))
    return np.asarray(result)


def resample_mask(mask: Volume, lattice: Lattice, to_source: Matrix | None = None) -> NDArray[np.bool_]:
    """A brain mask at the voxels of `lattice`: where the trilinear value exceeds a half, for a smooth surface.

    Not for lesions: one of a single voxel would vanish.
    """
    soft = Volume(mask.data.astype(np.float32), mask.affine)
    return np.asarray(resample(soft, lattice, to_source, order=1) > 0.5)


def upright_lattice(lattice: Lattice, spacing: float) -> Lattice:
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
    """Gaussian along each source axis on which new voxels are larger: sigma sqrt(step^2 - 1) / 2.355 voxels."""
    step = np.abs(voxels[:3, :3]).max(axis=1)
    sigma = np.sqrt(np.clip(step**2 - 1, 0, None)) / 2.355
    sigma[step < 1.25] = 0  # hardly coarser: sharpness matters more
    return ndimage.gaussian_filter(data, sigma) if sigma.any() else data

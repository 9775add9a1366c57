"""Shapes of implanted lesions: parametric ones, and lesion masks of the user's own from NIfTI or packed arrays."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.errors import BadFile, MissingData
from datasets.io.nifti import read_volume, stem
from datasets.words import count_text

FloatArray = NDArray[np.float32]
Vector = NDArray[np.float64]
NEAREST = 20  # masks nearest in volume to draw from, since a lesion's shape depends on its size
MARGIN = 4  # voxels around a mask in which distances to it are computed
BITS_SET = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1)  # of every byte
PACKED = ("packed", "shape", "affine", "ids")


@dataclass(frozen=True)
class Neighbourhood:
    """The voxels around a lesion's centre.

    Attributes:
        offset: `(3, X, Y, Z)` from the centre in mm.
        csf_mm: `(X, Y, Z)` distance to CSF.
        radius: of a ball of the lesion's volume, in mm.
        spacing: voxel edges in mm.
    """

    offset: FloatArray
    csf_mm: FloatArray
    radius: float
    spacing: tuple[float, float, float]

    @property
    def distance(self) -> FloatArray:
        """From the centre in mm."""
        return np.asarray(np.sqrt((self.offset**2).sum(axis=0)))


class Shape(Protocol):
    """Depth `(X, Y, Z)` in mm, rising inwards by about 1 per mm from an arbitrary zero; its level sets are lesions."""

    def __call__(self, around: Neighbourhood, rng: np.random.Generator) -> FloatArray: ...


def ellipsoid(around: Neighbourhood, rng: np.random.Generator) -> FloatArray:
    axes = np.exp(rng.normal(0, 0.25, 3))
    turned = np.tensordot(rotation(rng) / (axes / np.cbrt(axes.prod()))[:, None], around.offset, axes=1)
    return np.asarray(-np.sqrt((turned**2).sum(axis=0)), dtype=np.float32)


def rough_ball(around: Neighbourhood, rng: np.random.Generator) -> FloatArray:
    """A ball whose surface is moved by a smooth field of 0.35 radii (s.d.)."""
    field = smooth_noise(rng, around.offset.shape[1:], around.spacing, max(0.5 * around.radius, 2.0))
    return np.asarray(0.35 * around.radius * field - around.distance, dtype=np.float32)


def cluster(around: Neighbourhood, rng: np.random.Generator) -> FloatArray:
    """Three to six balls of different sizes."""
    count = int(rng.integers(3, 7))
    centres = rng.normal(0, 1.1 * around.radius, (count, 3))
    centres[0] = 0
    radii = around.radius / np.cbrt(count) * np.exp(rng.normal(0, 0.3, count))
    balls = [radius - _distance(around, centre) for radius, centre in zip(radii, centres, strict=True)]
    return np.asarray(np.max(balls, axis=0), dtype=np.float32)


def plate(around: Neighbourhood, rng: np.random.Generator) -> FloatArray:
    """A sheet along the nearest CSF, in a ventricle or a sulcus."""
    flatness = rng.uniform(1.0, 2.0)
    return np.asarray(-np.hypot(0.7 * around.distance, flatness * around.csf_mm), dtype=np.float32)


SHAPES: Mapping[str, Shape] = {"ellipsoid": ellipsoid, "rough": rough_ball, "cluster": cluster, "plate": plate}


@dataclass(frozen=True)
class LesionMask:
    """One lesion mask of a library, cropped to its bounding box."""

    name: str
    mask: NDArray[np.bool_]
    spacing: tuple[float, float, float]

    def depth(self, around: Neighbourhood, rng: np.random.Generator) -> FloatArray:
        """The mask as a Shape: its signed distance, rotated, mirrored and scaled to the lesion's volume."""
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
    """Lesion masks by volume; each is read when it is drawn.

    Attributes:
        ml: volumes, ascending.
        read: the mask of each.
    """

    ml: NDArray[np.float64]
    read: Sequence[Callable[[], LesionMask]]

    def draw(self, volume_ml: float, rng: np.random.Generator) -> LesionMask:
        """One of the masks nearest in volume."""
        order = np.argsort(np.abs(np.log(self.ml / volume_ml)), kind="stable")[:NEAREST]
        return self.read[int(order[rng.integers(len(order))])]()


def read_library(path: Path) -> Library:
    """Read a folder of NIfTI masks, or an `.npz` with `packed` (bits of each mask), `shape`, `affine` and `ids`.

    Raises:
        MissingData: there is no such file or folder, or the folder holds no NIfTI file.
        BadFile: an array is missing, or a mask is empty or not 3-D.
    """
    if path.is_dir():
        found = sorted(file for file in path.iterdir() if stem(file) is not None)
        if not found:
            raise MissingData(f"--shapes {path}: got a folder without NIfTI files, expected lesion masks (*.nii.gz).")
        return _sorted([(_ml(one := _read_nifti(file)), lambda one=one: one) for file in found])  # type: ignore[misc]
    if not path.is_file():
        raise MissingData(f"--shapes {path}: no such file, expected an .npz or a folder of NIfTI masks.")
    return _read_packed(path)


def _sorted(masks: Sequence[tuple[float, Callable[[], LesionMask]]]) -> Library:
    masks = sorted(masks, key=lambda one: one[0])
    return Library(np.array([ml for ml, _ in masks]), [read for _, read in masks])


def _ml(mask: LesionMask) -> float:
    return float(mask.mask.sum() * np.prod(mask.spacing)) / 1000


def _read_nifti(path: Path) -> LesionMask:
    volume = read_volume(path, as_stored=True)
    return _cut(stem(path) or path.name, volume.data > 0.5, volume.affine, path)


def _read_packed(path: Path) -> Library:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            missing = [name for name in PACKED if name not in arrays.files]
            if missing:
                raise BadFile(f"{path}: got arrays {', '.join(arrays.files)}, expected also {', '.join(missing)}.")
            packed, shape, affine, ids = (arrays[name] for name in PACKED)
    except (ValueError, OSError) as error:
        if isinstance(error, BadFile):
            raise
        raise BadFile(f"{path}: got a file that cannot be read ({error}), expected an .npz of masks.") from error
    size = tuple(int(length) for length in shape)
    if packed.ndim != 2 or packed.shape[1] * 8 < np.prod(size) or len(ids) != len(packed):
        raise BadFile(
            f"{path}: got packed {packed.shape} for {count_text(len(ids), 'id')} of shape {size}, "
            "expected a row of bits each."
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
            f"{path}: got {'an empty mask' if mask.ndim == 3 else f'{mask.ndim}-D data'} ({name}), expected one."
        )
    box = ndimage.find_objects(mask.astype(np.uint8))[0]
    x, y, z = (float(edge) for edge in np.linalg.norm(affine[:3, :3], axis=0))
    return LesionMask(name, np.pad(mask[box], MARGIN), (x, y, z))


def rotation(rng: np.random.Generator) -> Vector:
    """A uniformly distributed rotation `(3, 3)`: Q of a Gaussian matrix with signs made unique."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.sign(np.linalg.det(q)))


def smooth_noise(
    rng: np.random.Generator, shape: tuple[int, ...], spacing: tuple[float, float, float], width_mm: float
) -> FloatArray:
    """Gaussian noise `(X, Y, Z)` of mean 0 and s.d. 1, smoothed by `width_mm` (s.d.)."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, [width_mm / edge for edge in spacing], mode="wrap")
    return np.asarray((smooth - smooth.mean()) / max(float(smooth.std()), 1e-6), dtype=np.float32)


def _distance(around: Neighbourhood, centre: Vector) -> FloatArray:
    moved = around.offset - centre[:, None, None, None].astype(np.float32)
    return np.asarray(np.sqrt((moved**2).sum(axis=0)))

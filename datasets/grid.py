"""The common grid, and `load_case`: the one place that orients, crops, scales and resamples."""

import gzip
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import Case, CaseFiles
from datasets.errors import BadFile, MissingData

Array = NDArray[Any]
Voxel = TypeVar("Voxel", bound=np.generic)


@dataclass(frozen=True)
class Grid:
    """A box centred on the volume's centre, and how intensities inside it are scaled.

    Attributes:
        shape: voxels along x, y, z (RAS+).
        spacing: voxel edge in mm, the same along every axis.
        percentiles: intensities inside the brain mask that become 0 and 1.
    """

    shape: tuple[int, int, int] = (96, 96, 50)
    spacing: float = 2.0
    percentiles: tuple[float, float] = (1.0, 99.0)


GRIDS = {"paper": Grid(), "quick": Grid(shape=(48, 48, 25), spacing=4.0)}


class Cases(Sequence[Case]):
    """Cases of a cohort, each read from disk whenever it is asked for."""

    def __init__(self, files: Sequence[CaseFiles], grid: Grid) -> None:
        self.files = tuple(files)
        self.grid = grid

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> "Cases": ...
    def __getitem__(self, index: int | slice) -> "Case | Cases":
        if isinstance(index, slice):
            return Cases(self.files[index], self.grid)
        return load_case(self.files[index], self.grid)

    def __iter__(self) -> Iterator[Case]:
        return (load_case(files, self.grid) for files in self.files)


def load_case(files: CaseFiles, grid: Grid) -> Case:
    """Read one scan and bring it onto `grid`.

    Intensities are clipped to the grid's percentiles over the brain inside the box and scaled to
    [0, 1] at the scan's own resolution; then images are resampled by cubic B-splines and masks by
    nearest neighbour, so that truth is never interpolated.

    Raises:
        MissingData: a file is not there.
        BadFile: a file is torn, not 3-D, not finite, or off the image's grid.
    """
    image, affine = _read(files.image)
    brain = _read_mask(files.brain_mask, files.image, image.shape, affine)
    lesion = None
    if files.lesion_mask is not None:
        lesion = _read_mask(files.lesion_mask, files.image, image.shape, affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    to_source = _box(image.shape, spacing, grid)
    inside = _covered(image.shape, spacing, grid)
    scaled = _scale(image, brain, inside, grid.percentiles, files)

    new_brain = _resample(brain, to_source, grid.shape, order=0)
    new_image = np.clip(_resample(scaled, to_source, grid.shape, order=3), 0, 1)
    new_image[~new_brain] = 0
    new_lesion, outside_ml = None, 0.0
    if lesion is not None:
        new_lesion = _resample(lesion, to_source, grid.shape, order=0)
        cut_off = int(lesion.sum()) - int(lesion[inside].sum())
        outside_ml = cut_off * float(np.prod(spacing)) / 1000
    return Case(
        case_id=files.case_id,
        image=new_image[None],
        brain_mask=new_brain,
        lesion_mask=new_lesion,
        affine=affine @ to_source,
        lesion_outside_grid_ml=outside_ml,
    )


def load_host(files: CaseFiles, grid: Grid) -> NDArray[np.float32] | None:
    """The image `(1, X, Y, Z)` of the same scan without its lesion, on the scale of `load_case(files, grid).image`.

    Equal to it wherever the lesion's image is the host's. None where the host is not known.

    Raises:
        MissingData, BadFile: as `load_case`, or the host is off the image's grid.
    """
    if files.host is None:
        return None
    image, affine = _read(files.image)
    host, host_affine = _read(files.host)
    if host.shape != image.shape or not np.allclose(host_affine, affine, atol=1e-3):
        raise BadFile(f"{files.host}: got another grid than {files.image}, wanted the same one.")
    brain = _read_mask(files.brain_mask, files.image, image.shape, affine)
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    to_source = _box(image.shape, spacing, grid)
    low, high = window(image, brain, _covered(image.shape, spacing, grid), grid.percentiles, files)
    new_brain = _resample(brain, to_source, grid.shape, order=0)
    new_host = np.clip(_resample(_scaled(host, brain, low, high), to_source, grid.shape, order=3), 0, 1)
    new_host[~new_brain] = 0
    return np.asarray(new_host[None], dtype=np.float32)


def _read(path: Path) -> tuple[Array, NDArray[np.float64]]:
    """Data `(X, Y, Z)` and affine of a NIfTI file, its axes turned to the closest RAS+."""
    if not path.is_file():
        raise MissingData(f"No file {path}.")
    try:
        nifti = nibabel.nifti1.Nifti1Image.from_bytes(_content(path))
        if len(nifti.shape) != 3:
            raise BadFile(f"{path}: got {len(nifti.shape)}-D data {nifti.shape}, wanted a 3-D volume.")
        nifti = nibabel.funcs.as_closest_canonical(nifti)
        data = np.asanyarray(nifti.dataobj)
    except BadFile:
        raise
    except Exception as error:  # nibabel, gzip and zlib share no base class for a torn file
        raise BadFile(f"{path}: got a file that cannot be read ({error}), wanted an intact NIfTI volume.") from error
    if data.dtype.kind not in "biuf":
        raise BadFile(f"{path}: got voxels of type {data.dtype}, wanted one real number a voxel.")
    if not np.isfinite(data).all():
        bad = int(np.size(data) - np.isfinite(data).sum())
        raise BadFile(f"{path}: got {bad} voxels that are NaN or infinite, wanted finite intensities.")
    if nifti.affine is None or not np.isfinite(nifti.affine).all() or abs(np.linalg.det(nifti.affine[:3, :3])) < 1e-9:
        raise BadFile(f"{path}: got an affine that cannot be inverted, wanted voxel axes in mm.")
    return data, np.asarray(nifti.affine, dtype=np.float64)


def _content(path: Path) -> bytes:
    """Unpacked whole: only at its end does gzip tell whether what came before is intact."""
    content = path.read_bytes()
    return gzip.decompress(content) if path.suffix == ".gz" else content


def _read_mask(path: Path, image_path: Path, shape: tuple[int, ...], affine: Array) -> NDArray[np.bool_]:
    data, mask_affine = _read(path)
    if data.shape != shape:
        raise BadFile(f"{path}: got shape {data.shape}, wanted {shape} as in {image_path}.")
    if not np.allclose(mask_affine, affine, atol=1e-3):
        got, wanted = mask_affine[:3].round(3).tolist(), np.asarray(affine)[:3].round(3).tolist()
        raise BadFile(f"{path}: got affine {got}, wanted {wanted} as in {image_path}.")
    return np.asarray(data > 0.5)  # an interpolated mask above 0 would be a dilated one


def _box(shape: Sequence[int], spacing: Array, grid: Grid) -> NDArray[np.float64]:
    """`(4, 4)` map from grid voxels to source voxels, the two boxes' centres on each other.

    At equal spacing the offset is a whole number, so that the grid crops or pads and never blends.
    """
    step = grid.spacing / np.asarray(spacing, dtype=np.float64)
    offset = (np.asarray(shape) - 1) / 2 - step * (np.asarray(grid.shape) - 1) / 2
    offset = np.where(np.isclose(step, 1, atol=1e-4), np.floor(offset), offset)
    to_source = np.eye(4)
    to_source[:3, :3] = np.diag(np.where(np.isclose(step, 1, atol=1e-4), 1.0, step))
    to_source[:3, 3] = offset
    return to_source


def _covered(shape: Sequence[int], spacing: Array, grid: Grid) -> tuple[slice, ...]:
    """The source voxels that lie inside the grid's box."""
    to_source = _box(shape, spacing, grid)
    first = to_source[:3, 3] + np.diag(to_source)[:3] * -0.5 + 0.5
    last = first + np.diag(to_source)[:3] * np.asarray(grid.shape)
    low = np.clip(np.round(first), 0, shape).astype(int)
    high = np.clip(np.round(last), 0, shape).astype(int)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def _scale(
    image: Array,
    brain: NDArray[np.bool_],
    inside: tuple[slice, ...],
    percentiles: tuple[float, float],
    files: CaseFiles,
) -> NDArray[np.float32]:
    """Clip to the brain's percentiles and scale to [0, 1]; background 0."""
    return _scaled(image, brain, *window(image, brain, inside, percentiles, files))


def window(
    image: Array,
    brain: NDArray[np.bool_],
    inside: tuple[slice, ...],
    percentiles: tuple[float, float],
    files: CaseFiles,
) -> tuple[float, float]:
    """The intensities that become 0 and 1.

    Raises:
        BadFile: there is no brain inside the box, or no contrast in it.
    """
    values = image[inside][brain[inside]].astype(np.float64)
    if values.size == 0:
        raise BadFile(f"{files.brain_mask}: got no brain voxel inside the grid's box, wanted a brain.")
    low, high = np.percentile(values, percentiles)
    if high <= low:
        raise BadFile(f"{files.image}: got one intensity ({low:g}) throughout the brain, wanted contrast.")
    return float(low), float(high)


def _scaled(image: Array, brain: NDArray[np.bool_], low: float, high: float) -> NDArray[np.float32]:
    scaled = np.clip((image.astype(np.float64) - low) / (high - low), 0, 1)
    return np.asarray(np.where(brain, scaled, 0), dtype=np.float32)


def _resample(volume: NDArray[Voxel], to_source: Array, shape: tuple[int, int, int], order: int) -> NDArray[Voxel]:
    step, offset = np.diag(to_source)[:3], np.asarray(to_source)[:3, 3]
    if np.all(step == 1) and np.all(offset == np.round(offset)):
        return _crop_or_pad(volume, offset.astype(int), shape)
    source = volume.astype(np.float32) if order else volume.astype(np.uint8)
    result = ndimage.affine_transform(source, step, offset, shape, order=order, mode="constant", cval=0)
    return np.asarray(result, dtype=volume.dtype)


def _crop_or_pad(volume: NDArray[Voxel], offset: Array, shape: tuple[int, int, int]) -> NDArray[Voxel]:
    result = np.zeros(shape, dtype=volume.dtype)
    taken, filled = [], []
    for start, size, length in zip(offset.tolist(), shape, volume.shape, strict=True):
        taken.append(slice(max(start, 0), min(start + size, length)))
        filled.append(slice(max(-start, 0), max(-start, 0) + max(taken[-1].stop - taken[-1].start, 0)))
    result[tuple(filled)] = volume[tuple(taken)]
    return result

"""The common grid, and `load_case`: the one place that orients, crops, scales and resamples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import Case, CaseFiles
from datasets.errors import BadVolume
from datasets.nifti import Volume, check_same_grid, read_volume

Array = NDArray[Any]
Voxel = TypeVar("Voxel", bound=np.generic)
INSIDE_ABOVE = 0.5  # of a mask's values: an interpolated mask above 0 would be a dilated one


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
        BadVolume: a file is torn, not 3-D, not finite, or off the image's grid; see `datasets.nifti`.
    """
    volume = read_volume(files.image)
    image, affine, spacing = volume.data, volume.affine, volume.spacing
    brain = _read_mask(files.brain_mask, volume)
    lesion = None if files.lesion_mask is None else _read_mask(files.lesion_mask, volume)
    to_source = _box(image.shape, spacing, grid)
    inside = covered(image.shape, spacing, grid)
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


def _read_mask(path: Path, image: Volume) -> NDArray[np.bool_]:
    mask = read_volume(path)
    check_same_grid(mask, image)
    return np.asarray(mask.data > INSIDE_ABOVE)


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


def covered(shape: Sequence[int], spacing: Array, grid: Grid) -> tuple[slice, ...]:
    """The source voxels that lie inside the grid's box."""
    to_source = _box(shape, spacing, grid)
    first = to_source[:3, 3] + np.diag(to_source)[:3] * -0.5 + 0.5
    last = first + np.diag(to_source)[:3] * np.asarray(grid.shape)
    low = np.clip(np.round(first), 0, shape).astype(int)
    high = np.clip(np.round(last), 0, shape).astype(int)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def window(
    image: Array,
    brain: NDArray[np.bool_],
    inside: tuple[slice, ...],
    percentiles: tuple[float, float],
    files: CaseFiles,
) -> tuple[float, float]:
    """The intensities that become 0 and 1.

    Raises:
        BadVolume: there is no brain inside the box, or no contrast in it.
    """
    values = image[inside][brain[inside]].astype(np.float64)
    if values.size == 0:
        raise BadVolume(files.brain_mask, "no-brain-in-box", "no brain voxel inside the grid's box", "a brain")
    low, high = np.percentile(values, percentiles)
    if high <= low:
        raise BadVolume(files.image, "constant-image", f"one intensity ({low:g}) throughout the brain", "contrast")
    return float(low), float(high)


def _scale(
    image: Array,
    brain: NDArray[np.bool_],
    inside: tuple[slice, ...],
    percentiles: tuple[float, float],
    files: CaseFiles,
) -> NDArray[np.float32]:
    """Clip to the brain's percentiles and scale to [0, 1]; background 0."""
    low, high = window(image, brain, inside, percentiles, files)
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

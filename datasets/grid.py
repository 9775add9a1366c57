"""The common grid, and `load_case`: the one place where scans are oriented, cropped, scaled and resampled."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.case import Case, CaseFiles, Masks
from datasets.errors import BadVolume
from datasets.io.nifti import StoredVolume, check_same_grid, read_volume
from datasets.shifts import Shift
from datasets.shifts.application import CaseShift, dose

Array = NDArray[Any]
Voxel = TypeVar("Voxel", bound=np.generic)
INSIDE_ABOVE = 0.5  # a mask's values above this are inside; above 0, an interpolated mask would be dilated
KEPT = 192  # unshifted cases in memory while shifts are made: up to 3 MB each on the published grid


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


PUBLISHED = "paper"
"""The preset of the published grid and training budgets."""
SMALL = "small"
"""The preset of the published grid and of networks that a CPU can train."""
GRIDS = {PUBLISHED: Grid(), "quick": Grid(shape=(48, 48, 25), spacing=4.0), SMALL: Grid()}


class Cases(Sequence[Case]):
    """Cases of a cohort under one shift; each is read from disk on every access."""

    def __init__(self, files: Sequence[CaseFiles], grid: Grid, shift: Shift = Shift()) -> None:
        self.files = tuple(files)
        self.grid = grid
        self.shift = shift

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def __getitem__(self, index: int) -> Case: ...
    @overload
    def __getitem__(self, index: slice) -> "Cases": ...
    def __getitem__(self, index: int | slice) -> "Case | Cases":
        if isinstance(index, slice):
            return Cases(self.files[index], self.grid, self.shift)
        return load_case(self.files[index], self.grid, self.shift)

    def __iter__(self) -> Iterator[Case]:
        return (load_case(files, self.grid, self.shift) for files in self.files)


def masks_of(files: CaseFiles, grid: Grid) -> Masks:
    """The masks of `load_case`, kept in memory as bits, and much faster: no image is resampled.

    Raises:
        MissingData, BadVolume: as `load_case`, but for what is wrong with the image's intensities.
    """
    bits, known = _kept_masks(files, grid, _stamps(files))
    brain, lesion = np.unpackbits(bits, axis=1, count=int(np.prod(grid.shape))).view(bool).reshape(2, *grid.shape)
    return replace(known, brain_mask=brain, lesion_mask=None if files.healthy else lesion)


def load_case(files: CaseFiles, grid: Grid, shift: Shift = Shift()) -> Case:
    """Read one scan and bring it onto `grid` under `shift`, which changes the image and nothing else.

    Intensities are clipped to the grid's percentiles over the brain inside the box and scaled to
    [0, 1] at the scan's own resolution; then images are resampled by cubic B-splines and masks by
    nearest neighbour, so that truth is never interpolated.

    Raises:
        MissingData: a file is not there.
        BadVolume: a file is torn, not 3-D, not finite, or off the image's grid; see `datasets.io.nifti`.
    """
    if shift.is_none:
        return _unshifted(files, grid)
    case = _kept(files, grid, _stamps(files))
    image, applied = case.image[0], CaseShift(shift, files.case_id)
    if applied.stage == "acquisition":
        source = _source(files, grid)
        image = source.on_grid(applied.acquired(source.image, source.brain, source.spacing), case.brain_mask)
    elif applied.stage == "representation":
        image = applied.represented(
            image, case.brain_mask, grid.spacing, grid.percentiles, partial(_rescaled, files, grid, case.brain_mask)
        )
    healthy = case.brain_mask if case.lesion_mask is None else case.brain_mask & ~case.lesion_mask
    return replace(
        case,
        image=applied.matched(image, case.brain_mask)[None],
        shift_dose=0.0 if applied.stage is None else dose(image, case.image[0], healthy),
    )


def _stamps(files: CaseFiles) -> tuple[int, ...]:
    """Modification times of a case's files in ns: the key that makes cached cases stale when files change."""
    paths = [path for path in (files.image, files.brain_mask, files.lesion_mask) if path is not None]
    return tuple(path.stat().st_mtime_ns if path.is_file() else 0 for path in paths)


@dataclass(frozen=True)
class _Source:
    """A scan at its own resolution, and how the grid lies in it.

    Attributes:
        to_source: `(4, 4)` map from grid voxels to the scan's.
        inside: the scan's voxels inside the grid's box.
    """

    files: CaseFiles
    grid: Grid
    volume: StoredVolume
    brain: NDArray[np.bool_]

    @property
    def image(self) -> Array:
        return self.volume.data

    @property
    def affine(self) -> NDArray[np.float64]:
        return self.volume.affine

    @property
    def spacing(self) -> NDArray[np.float64]:
        return self.volume.spacing

    @property
    def to_source(self) -> NDArray[np.float64]:
        return _box(self.image.shape, self.spacing, self.grid)

    @property
    def inside(self) -> tuple[slice, ...]:
        return box_slices(self.image.shape, self.spacing, self.grid)

    def on_grid(
        self, magnitudes: Array, new_brain: NDArray[np.bool_], percentiles: tuple[float, float] | None = None
    ) -> NDArray[np.float32]:
        """Scale and resample; `percentiles` replace the grid's own."""
        scaled = _scale(magnitudes, self.brain, self.inside, percentiles or self.grid.percentiles, self.files)
        image = np.clip(_resample(scaled, self.to_source, self.grid.shape, order=3), 0, 1)
        image[~new_brain] = 0
        return image


def _source(files: CaseFiles, grid: Grid) -> _Source:
    volume = read_volume(files.image)
    return _Source(files, grid, volume, _read_mask(files.brain_mask, volume))


def _unshifted(files: CaseFiles, grid: Grid) -> Case:
    source = _source(files, grid)
    new_brain, new_lesion, outside_ml = _masks(source)
    return Case(
        case_id=files.case_id,
        image=source.on_grid(source.image, new_brain)[None],
        brain_mask=new_brain,
        lesion_mask=new_lesion,
        affine=source.affine @ source.to_source,
        lesion_outside_grid_ml=outside_ml,
    )


def _masks(source: _Source) -> tuple[NDArray[np.bool_], NDArray[np.bool_] | None, float]:
    """Brain and lesion on the grid, and the ml of lesion outside it."""
    files, grid = source.files, source.grid
    lesion = None if files.lesion_mask is None else _read_mask(files.lesion_mask, source.volume)
    new_brain = _resample(source.brain, source.to_source, grid.shape, order=0)
    new_lesion, outside_ml = None, 0.0
    if lesion is not None:
        new_lesion = _resample(lesion, source.to_source, grid.shape, order=0)
        cut_off = int(lesion.sum()) - int(lesion[source.inside].sum())
        outside_ml = cut_off * float(np.prod(source.spacing)) / 1000
    return new_brain, new_lesion, outside_ml


@lru_cache(maxsize=KEPT)
def _kept_masks(files: CaseFiles, grid: Grid, stamps: tuple[int, ...]) -> tuple[NDArray[np.uint8], Masks]:
    """Brain and lesion as bits `(2, bytes)`, and the rest of Masks with empty arrays."""
    source = _source(files, grid)
    brain, lesion, outside_ml = _masks(source)
    case = Case(files.case_id, np.zeros(0, np.float32), brain, lesion, source.affine @ source.to_source, outside_ml)
    bits = np.packbits([brain.ravel(), (np.zeros_like(brain) if lesion is None else lesion).ravel()], axis=1)
    nothing = np.zeros(0, dtype=bool)
    return bits, Masks(nothing, nothing, case.spacing, case.voxel_ml, outside_ml)


@lru_cache(maxsize=KEPT)
def _kept(files: CaseFiles, grid: Grid, stamps: tuple[int, ...]) -> Case:
    """Cached, since a case is shifted many times."""
    return _unshifted(files, grid)


def load_host(files: CaseFiles, grid: Grid) -> NDArray[np.float32] | None:
    """The image `(1, X, Y, Z)` of the same scan without its lesion, on the scale of `load_case(files, grid).image`.

    Equal to it wherever the lesion's image is the host's. None where the host is not known.

    Raises:
        MissingData, BadVolume: as `load_case`, or the host is off the image's grid.
    """
    if files.host is None:
        return None
    source, host = _source(files, grid), read_volume(files.host)
    check_same_grid(host, source.volume)
    low, high = intensity_window(source.image, source.brain, source.inside, grid.percentiles, files)
    new_brain = _resample(source.brain, source.to_source, grid.shape, order=0)
    scaled = _scaled(host.data, source.brain, low, high)
    new_host = np.clip(_resample(scaled, source.to_source, grid.shape, order=3), 0, 1)
    new_host[~new_brain] = 0
    return np.asarray(new_host[None], dtype=np.float32)


def _rescaled(
    files: CaseFiles, grid: Grid, brain_mask: NDArray[np.bool_], percentiles: tuple[float, float]
) -> NDArray[np.float32]:
    source = _source(files, grid)
    return source.on_grid(source.image, brain_mask, percentiles)


def _read_mask(path: Path, image: StoredVolume) -> NDArray[np.bool_]:
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


def box_slices(shape: Sequence[int], spacing: Array, grid: Grid) -> tuple[slice, ...]:
    """The source voxels that lie inside the grid's box."""
    to_source = _box(shape, spacing, grid)
    first = to_source[:3, 3] + np.diag(to_source)[:3] * -0.5 + 0.5
    last = first + np.diag(to_source)[:3] * np.asarray(grid.shape)
    low = np.clip(np.round(first), 0, shape).astype(int)
    high = np.clip(np.round(last), 0, shape).astype(int)
    return tuple(slice(a, b) for a, b in zip(low, high, strict=True))


def intensity_window(
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
    return _scaled(image, brain, *intensity_window(image, brain, inside, percentiles, files))


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

"""Scans and masks on a grid: sampled along one axis after the other by a matrix each, both from the same places."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.grid import Grid

Floats = NDArray[np.float64]
Weights = NDArray[np.float64] | NDArray[np.float32]
Mask = NDArray[np.bool_]
Place = tuple[slice, ...]
EQUAL = 1e-4  # of a voxel: edges and places that differ by less are equal
CONNECTED = np.ones((3, 3, 3), dtype=bool)


def box(distance: Floats) -> Floats:
    """The share of a box of width 1 that lies below `distance` from its middle."""
    return np.clip(distance + 0.5, 0, 1)


def triangle(distance: Floats) -> Floats:
    """The share of a triangle of width 2 that lies below `distance` from its middle."""
    within = np.clip(distance, -1, 1)
    return np.asarray(0.5 + within - within * np.abs(within) / 2)


@dataclass(frozen=True)
class Axis:
    """One axis of a grid in a scan, the middle of both at one place; lengths in the scan's voxels.

    At equal spacing the grid lies on the scan's voxels, half a voxel beside the middle where one has an odd and the
    other an even number of them: it crops or pads, and never blends.

    Attributes:
        size: the scan's voxels.
        length: the grid's voxels.
        step: edge of a grid voxel.
    """

    size: int
    length: int
    step: float

    @property
    def start(self) -> float:
        """The centre of the first grid voxel."""
        start = (self.size - 1) / 2 - self.step * (self.length - 1) / 2
        return float(np.floor(start)) if self.step == 1 else start

    @property
    def covered(self) -> Floats:
        """`(size,)`: the share of each voxel of the scan that lies inside the grid."""
        low, voxels = self.start - self.step / 2, np.arange(self.size)
        ends = np.minimum(voxels + 0.5, low + self.step * self.length)
        return np.clip(ends - np.maximum(voxels - 0.5, low), 0, 1)

    def weights(self, share_below: Callable[[Floats], Floats], width: float) -> Floats:
        """`(length, size)`: how much each voxel of the scan counts in each grid voxel, by a kernel of a given width.

        Outside the scan is 0. Equal in both directions, bit for bit.
        """
        centres = self.start + self.step * np.arange(self.length)
        edges = np.arange(self.size + 1) - 0.5
        found = np.diff(share_below((edges - centres[:, None]) / width), axis=1)
        return found if self.step == 1 else (found + found[::-1, ::-1]) / 2


@dataclass(frozen=True)
class Component:
    """A 26-connected component of a mask at the scan's resolution.

    Attributes:
        volume: inside the grid's box, in the scan's voxels.
        voxels: of the grid that it sets; 0 if it is too small for the grid.
    """

    volume: float
    voxels: int


@dataclass(frozen=True)
class SampledMask:
    """A mask on a grid.

    Attributes:
        mask: `(X, Y, Z)` bool.
        components: those that reach into the grid's box.
        outside: volume outside the box, in the scan's voxels.
    """

    mask: Mask
    components: tuple[Component, ...]
    outside: float


@dataclass(frozen=True)
class Sampler:
    """How a grid samples the scans of one shape and spacing and their masks, by the grid's rule.

    `average`: a scan is integrated over each grid voxel where that is the larger of the two, and interpolated linearly
    where it is the smaller; a box as wide as the larger of them, moved over the scan's voxels, does both. A mask keeps
    its volume: the round(volume / voxel) grid voxels that it covers most are set. Of voxels covered alike those come
    first that it covers more under a triangle of twice the width, and what is equal still is set or left out together,
    whichever is nearer to the volume; where both are, it is set.

    `spline`: a scan is interpolated by a cubic B-spline without a low-pass filter, and a mask takes the nearest label.
    Midway between two voxels the nearest is always the same of them, so that a mask may lie half a voxel beside its
    scan. At equal spacing both rules give the scan's own voxels.
    """

    axes: tuple[Axis, ...]
    grid: Grid

    @classmethod
    def of(cls, shape: Sequence[int], spacing: Sequence[float] | Floats, grid: Grid) -> "Sampler":
        """The sampler of scans of `shape`, voxel edges in mm."""
        steps = [1.0 if np.isclose(grid.spacing / edge, 1, atol=EQUAL) else grid.spacing / edge for edge in spacing]
        return cls(tuple(Axis(*axis) for axis in zip(shape, grid.shape, map(float, steps), strict=True)), grid)

    @property
    def splines(self) -> bool:
        """Whether the rule is `spline` and there is anything to interpolate."""
        return self.grid.sampling == "spline" and any(axis.step != 1 for axis in self.axes)

    @property
    def to_source(self) -> Floats:
        """`(4, 4)` map from the grid's voxels to the scan's."""
        matrix = np.diag([*(axis.step for axis in self.axes), 1.0])
        matrix[:3, 3] = [axis.start for axis in self.axes]
        return matrix

    @cached_property
    def inside(self) -> Place:
        """The scan's voxels at least half of which, along each axis, lies inside the grid's box."""
        if not self.splines:
            return tuple(_span(axis.covered > 0.5 - EQUAL) for axis in self.axes)
        first = [axis.start - axis.step / 2 + 0.5 for axis in self.axes]
        last = [low + axis.step * axis.length for low, axis in zip(first, self.axes, strict=True)]
        # Halves are rounded to the even number, as in earlier versions: where both faces of the box cut voxels in the
        # middle, those at one face may count as inside and those at the other as outside.
        ends = np.clip(np.round([first, last]), 0, [axis.size for axis in self.axes]).astype(int)
        return tuple(slice(low, high) for low, high in ends.T.tolist())

    def scan(self, part: NDArray[np.float32], place: Place) -> NDArray[np.float32]:
        """A scan on the grid; the scan is `part` within `place` and 0 elsewhere, beyond its edges too."""
        if self.splines:
            return self._transformed(self._whole(part, place), order=3)
        result = np.zeros(self.grid.shape, dtype=np.float32)
        rows, taken, weights = _near(self._averages, place)
        result[rows] = _product(weights, part[taken])
        return result

    def mask(self, mask: Mask) -> Mask:
        """A mask on the grid, taken as a whole."""
        if self.splines:
            return self._transformed(mask.astype(np.uint8), order=0).astype(bool)
        result = np.zeros(self.grid.shape, dtype=bool)
        if mask.any():
            place = bounding_box(mask)
            self._set(result, mask[place], place)
        return result

    def components(self, mask: Mask) -> SampledMask:
        """A mask on the grid, each of its components taken by itself."""
        result, found = np.zeros(self.grid.shape, dtype=bool), list[Component]()
        if not mask.any():
            return SampledMask(result, (), 0.0)
        extent = bounding_box(mask)
        labels, total = ndimage.label(mask[extent], CONNECTED)[0], int(mask[extent].sum())
        sampled = self._transformed(self._whole(labels, extent), order=0) if self.splines else None
        for label, part, place in _parts(labels, extent):
            volume = self.volume(part, place)
            voxels = self._set(result, part, place) if sampled is None else int((sampled == label).sum())
            found += [Component(volume, voxels)] if volume > 0 else []
        result |= False if sampled is None else sampled > 0
        return SampledMask(result, tuple(found), max(total - sum(one.volume for one in found), 0.0))

    def volume(self, part: Mask, place: Place) -> float:
        """How much of a mask lies inside the grid's box, in the scan's voxels.

        Args:
            part: the mask within `place`, outside of which it is empty.
        """
        shares = [axis.covered[None, span] for axis, span in zip(self.axes, place, strict=True)]
        return round(_product(_exact(shares), part).item(), 6)

    def coverage(self, mask: Mask) -> Floats:
        """The share of each grid voxel that a mask fills."""
        return np.asarray(_product(self._boxes, mask))

    def _set(self, result: Mask, part: Mask, place: Place) -> int:
        """Set the grid's voxels of a mask that is `part` within `place` and empty elsewhere; returns their number."""
        rows, taken, boxes = _near(self._boxes, place)
        coverage = _product(boxes, part[taken])

        def blurred() -> Floats:
            wide = [one[row, span] for one, row, span in zip(self._triangles, rows, place, strict=True)]
            return _product(wide, part)

        found = most_covered(coverage, blurred)
        result[rows] |= found
        return int(found.sum())

    def _whole(self, part: NDArray[Any], place: Place) -> NDArray[Any]:
        whole = np.zeros([axis.size for axis in self.axes], dtype=part.dtype)
        whole[place] = part
        return whole

    def _transformed(self, volume: NDArray[Any], order: int) -> NDArray[Any]:
        step, start = [axis.step for axis in self.axes], [axis.start for axis in self.axes]
        return np.asarray(
            ndimage.affine_transform(volume, step, start, self.grid.shape, order=order, mode="constant", cval=0)
        )

    @cached_property
    def _averages(self) -> list[Weights]:
        return [axis.weights(box, max(axis.step, 1.0)).astype(np.float32) for axis in self.axes]

    @cached_property
    def _boxes(self) -> list[Weights]:
        return _exact([axis.weights(box, axis.step) for axis in self.axes])

    @cached_property
    def _triangles(self) -> list[Weights]:
        return _exact([axis.weights(triangle, axis.step) for axis in self.axes])


def _exact(weights: Sequence[Floats]) -> list[Weights]:
    """Weights for which sums of products of three are exact, in float32 if they are as they stand."""
    if all(np.array_equal(one, np.round(one * 2**8) / 2**8) for one in weights):
        return [one.astype(np.float32) for one in weights]
    return [np.round(one * 2**16) / 2**16 for one in weights]


def _near(weights: Sequence[Weights], place: Place) -> tuple[Place, Place, list[Weights]]:
    """The grid's voxels that depend on a place in the scan, the part of the place that they depend on, and how."""
    there = [one[:, span] for one, span in zip(weights, place, strict=True)]
    rows, columns = (tuple(_span(one.any(axis=axis)) for one in there) for axis in (1, 0))
    return rows, columns, [one[row, column] for one, row, column in zip(there, rows, columns, strict=True)]


def _product(weights: Sequence[Weights], volume: NDArray[Any]) -> NDArray[Any]:
    """A volume `(X, Y, Z)` times a matrix `(new, old)` along each axis.

    The first product, by far the largest, is in float32: the sums of a mask's weights are exact in it still.
    """
    volume = volume.astype(np.float32)
    if volume.flags.fnc:  # as read from NIfTI: no axis is moved in memory
        return _product(weights[::-1], volume.T).T
    first, second, third = weights
    x, y, z = volume.shape
    along = first.astype(np.float32) @ volume.reshape(x, y * z)
    return np.matmul(second, along.reshape(len(first), y, z)) @ third.T


def most_covered(coverage: Floats, blurred: Callable[[], Floats]) -> Mask:
    """As many voxels of the highest coverage as come nearest to its sum, of two such numbers the larger.

    Equal voxels are taken by their blurred coverage, and those equal in both only together.
    """
    volume = float(coverage.sum(dtype=np.float64))
    count = int(volume + 0.5)
    if count >= np.count_nonzero(coverage):
        return coverage > 0
    if count == 0:
        return np.zeros(coverage.shape, dtype=bool)
    level = np.partition(coverage, -count, axis=None)[-count]
    found, tied = coverage > level, coverage == level
    certain = int(found.sum())
    if certain + tied.sum() == count:
        return found | tied
    values = blurred()[tied]
    levels, sizes = np.unique(values, return_counts=True)
    numbers = certain + np.cumsum([0, *sizes[::-1]])
    groups = len(levels) - int(np.abs(numbers - volume)[::-1].argmin())
    if groups:
        found[tied] = values >= levels[-groups]
    return found


def _span(marked: Mask | np.bool_) -> slice:
    """From the first to the last that is marked."""
    found = np.flatnonzero(marked)
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)


def bounding_box(mask: Mask) -> Place:
    """The smallest box that holds every voxel of a mask `(X, Y, Z)`; empty for an empty one."""
    return tuple(_span(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))


def _parts(labels: NDArray[np.int32], extent: Place) -> Iterator[tuple[int, Mask, Place]]:
    """Each component's number, its mask within its bounding box, and where that lies."""
    for label, place in enumerate(ndimage.find_objects(labels), start=1):
        moved = tuple(
            slice(part.start + whole.start, part.stop + whole.start) for part, whole in zip(place, extent, strict=True)
        )
        yield label, labels[place] == label, moved

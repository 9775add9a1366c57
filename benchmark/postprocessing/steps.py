"""Step and the functions of the built-in steps: erosion, two medians, and the removal of small components."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Mask, voxel_ml
from benchmark.postprocessing.area_opening import area_opening

Map = NDArray[np.float32]
Stage = Literal["map", "prediction"]


@dataclass(frozen=True)
class BrainMap:
    """An anomaly map on its way through a pipeline.

    Attributes:
        scores: `(X, Y, Z)`, at least 0; 0 outside the region. z is the axial axis.
        region: `(X, Y, Z)` where scores count: the brain, or what an erosion has left of it.
        spacing: voxel edges in mm.
    """

    scores: Map
    region: Mask
    spacing: tuple[float, float, float]

    @property
    def voxel_ml(self) -> float:
        return voxel_ml(self.spacing)


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Attributes:
        name: its own within a pipeline, e.g. `median`.
        what: short definition, values included.
        function: takes a BrainMap and the values by their names; returns a BrainMap, and the very same one where
            nothing has to be done.
        values: what enters the key of every number beside name and revision.
        unit: of the values.
        stage: a step `map` changes the scores that are ranked and thresholded. A step `prediction` changes the
            prediction at a threshold; its function says so of all thresholds at once, by scores that exceed a
            threshold if and only if the voxel is in the changed prediction at that threshold.
        revision: raised with every change of the function that changes a number.
    """

    name: str
    what: str
    function: Callable[..., BrainMap] = field(repr=False)
    values: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    stage: Stage = "map"
    revision: int = 1

    def __call__(self, brain_map: BrainMap) -> BrainMap:
        return self.function(brain_map, **self.values)


def erode(brain_map: BrainMap, *, iterations: int) -> BrainMap:
    """Erode the region with a cross, axial slice by axial slice; what lies outside the box counts as outside the brain.

    Scores of the eroded rim become 0.
    """
    kept = np.pad(brain_map.region, ((1, 1), (1, 1), (0, 0)))
    inner, before, after = slice(1, -1), slice(None, -2), slice(2, None)
    for _ in range(iterations):
        kept[inner, inner] &= (
            kept[before, inner] & kept[after, inner] & kept[inner, before] & kept[inner, after]
        )  # of copies: all at once
    region = kept[inner, inner].copy()
    return replace(brain_map, scores=np.where(region, brain_map.scores, 0), region=region)


def median(brain_map: BrainMap, *, edge: int, within_region: bool = False) -> BrainMap:
    """Median over the cube of `edge` voxels around each voxel of the region.

    Voxels outside the region count as 0, or `within_region` not at all: the median is then over those voxels of the
    cube that are in the region too, the mean of the middle two of an even number.

    Raises:
        ValueError: the edge is even or too large.
    """
    scores, region = brain_map.scores, brain_map.region
    if within_region:
        return replace(brain_map, scores=_median_within(scores, region, edge))
    from benchmark.postprocessing.median_filter import median_filter  # compiled: imported only where it is needed

    return replace(brain_map, scores=median_filter(scores, region, edge))


def remove_small(brain_map: BrainMap, *, voxels: int = 1, ml: float = 0.0) -> BrainMap:
    """Remove 26-connected components of fewer than `voxels` voxels or less than `ml` from every prediction."""
    smallest = smallest_component(brain_map.voxel_ml, voxels=voxels, ml=ml)
    return brain_map if smallest <= 1 else replace(brain_map, scores=area_opening(brain_map.scores, smallest))


def smallest_component(voxel_ml: float, *, voxels: int = 1, ml: float = 0.0) -> int:
    """Voxels of the smallest component that `remove_small` keeps."""
    rounding = 1e-3  # voxel_ml comes from an affine: 0.03 ml are 30 voxels of 1 mm, not 31
    return max(voxels, ceil(ml / voxel_ml - rounding))


def _median_within(scores: Map, region: Mask, edge: int) -> Map:
    marked = np.pad(np.where(region, scores, scores.dtype.type(np.inf)), edge // 2, constant_values=np.inf)
    result = np.zeros_like(scores)
    for voxels, windows in _windows(_sortable(marked), region, edge):
        windows.sort(axis=1)
        ascending = windows.view(marked.dtype)
        count = np.isfinite(ascending).sum(axis=1)
        row = np.arange(len(ascending))
        result.flat[voxels] = (ascending[row, (count - 1) // 2] + ascending[row, count // 2]) / 2
    return result


def _sortable(volume: Map) -> NDArray[Any]:
    """Numbers in the same order that sort faster: the bits of floats that are not negative, read as integers."""
    if volume.dtype == np.float32 and not (volume < 0).any():
        return volume.view(np.int32)
    return volume


def _windows(
    padded: NDArray[Any], where: Mask, size: int, *, chunk: int = 1024
) -> Iterator[tuple[NDArray[np.intp], NDArray[Any]]]:
    """Places in the flattened box of `chunk` voxels at a time, and copies `(chunk, size ** 3)` of their windows."""
    runs = _runs(padded, size)
    edge = np.arange(size)
    around = ((edge[:, None] * padded.shape[1] + edge) * padded.shape[2]).ravel()  # first voxel of each run
    voxels = np.flatnonzero(where)
    corners = np.ravel_multi_index(np.unravel_index(voxels, where.shape), padded.shape)
    for start in range(0, voxels.size, chunk):
        part = slice(start, start + chunk)
        windows = runs.take(corners[part, None] + around)  # (chunk, size ** 2)
        yield voxels[part], windows.view(padded.dtype).reshape(len(windows), -1)


def _runs(padded: NDArray[Any], size: int) -> NDArray[np.void]:
    """Of every voxel the `size` numbers from it on along z, as one item, which is copied faster than each alone."""
    flat = padded.ravel()
    runs = np.zeros((flat.size, size), dtype=padded.dtype)
    for step in range(size):
        runs[: flat.size - step, step] = flat[step:]
    return runs.view(np.dtype((np.void, size * padded.itemsize))).ravel()

"""Step and the built-in steps, whose sizes are in mm or ml: erosion, two medians, removal of small components."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import ceil, floor
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import Mask
from benchmark.postprocessing.area_opening import area_opening

Map = NDArray[np.float32]
Stage = Literal["map", "prediction"]
ROUNDING = 1e-5  # of a size: edges come from an affine, and 0.03 ml are 30 voxels of 1 mm, not 31


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
    def edge(self) -> float:
        """The edge of its cubic voxels in mm.

        Raises:
            ValueError: they are not cubic, so that no number of voxels is the same size along every axis.
        """
        edge = self.spacing[0]
        if max(abs(other / edge - 1) for other in self.spacing) > 100 * ROUNDING:
            raise ValueError(f"Got voxels of {' x '.join(f'{one:g}' for one in self.spacing)} mm, expected cubes.")
        return edge


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Attributes:
        name: its own within a pipeline, e.g. `median`.
        what: short definition, values included.
        function: takes a BrainMap and the values by their names; returns a BrainMap, and the very same one where
            nothing has to be done.
        values: sizes in mm or ml; what enters the key of every number beside name and revision.
        unit: of the values.
        stage: a step `map` changes the scores that are ranked and thresholded. A step `prediction` changes the
            prediction at a threshold; its function says so of all thresholds at once, by scores that exceed a
            threshold if and only if the voxel is in the changed prediction at that threshold.
        revision: raised with every change of the function that changes a number.
        voxels: takes the edge of a grid's voxels in mm and the values by their names; returns the voxels that the
            step uses there, in words, and "" where it changes nothing. None: not known, it may change something.

    Examples:
        >>> components_step(0.1).has_effect(edge=2.0), components_step(0.1).has_effect(edge=5.0)
        (True, False)
    """

    name: str
    what: str
    function: Callable[..., BrainMap] = field(repr=False)
    values: Mapping[str, float] = field(default_factory=dict)
    unit: str = ""
    stage: Stage = "map"
    revision: int = 1
    voxels: Callable[..., str] | None = field(default=None, repr=False)

    def __call__(self, brain_map: BrainMap) -> BrainMap:
        return self.function(brain_map, **self.values)

    def has_effect(self, edge: float) -> bool:
        """Whether it may change anything on a grid of voxels of this edge in mm."""
        return self.voxels is None or self.voxels(edge, **self.values) != ""

    def what_at(self, edge: float) -> str:
        """Its definition, with the voxels that it uses on such a grid."""
        if self.voxels is None:
            return self.what
        return f"{self.what} ({self.voxels(edge, **self.values) or 'no effect'})"


def erosion_step(mm: float) -> Step:
    """The brain mask loses this much along its rim, in-plane."""
    return Step("erosion", f"brain mask eroded in-plane by {mm:g} mm", erode, {"mm": mm}, "mm", voxels=_erosion_words)


def median_step(mm: float, *, within_brain: bool = False) -> Step:
    """The median over a cube of this edge, or over that part of the cube which is brain."""
    where, values = (" within the brain", {"within_region": True}) if within_brain else ("", {})
    return Step("median", f"median of {mm:g} mm{where}", median, {"mm": mm, **values}, "mm", voxels=_median_words)


def components_step(ml: float) -> Step:
    """After the threshold, components of less than this volume go."""
    what = f"components under {ml:g} ml removed"
    return Step("components", what, remove_small, {"ml": ml}, "ml", "prediction", voxels=_components_words)


def erosions(mm: float, edge: float) -> int:
    """Voxels of an erosion on a grid of voxels of this edge in mm: the nearest number, halves up."""
    return floor(mm / edge * (1 + ROUNDING) + 0.5)


def median_edge(mm: float, edge: float) -> int:
    """Voxels along the cube of a median: the nearest odd number, of two equally near ones the smaller."""
    return 2 * max(0, ceil(mm / edge * (1 - ROUNDING) / 2 - 1)) + 1


def smallest_component(ml: float, edge: float) -> int:
    """Voxels of the smallest component that is not under this volume."""
    return max(1, ceil(1000 * ml / edge**3 * (1 - ROUNDING)))


def _erosion_words(edge: float, *, mm: float) -> str:
    voxels = erosions(mm, edge)
    return f"{voxels} voxel{'s' * (voxels > 1)}" if voxels else ""


def _median_words(edge: float, *, mm: float, within_region: bool = False) -> str:
    voxels = median_edge(mm, edge)
    return f"{voxels} x {voxels} x {voxels} voxels" if voxels > 1 else ""


def _components_words(edge: float, *, ml: float) -> str:
    voxels = smallest_component(ml, edge)
    return f"under {voxels} voxels" if voxels > 1 else ""


def erode(brain_map: BrainMap, *, mm: float) -> BrainMap:
    """Erode the region with a cross, axial slice by axial slice; what lies outside the box counts as outside the brain.

    Scores of the eroded rim become 0.
    """
    iterations = erosions(mm, brain_map.edge)
    if not iterations:
        return brain_map
    kept = np.pad(brain_map.region, ((1, 1), (1, 1), (0, 0)))
    inner, before, after = slice(1, -1), slice(None, -2), slice(2, None)
    for _ in range(iterations):
        kept[inner, inner] &= (
            kept[before, inner] & kept[after, inner] & kept[inner, before] & kept[inner, after]
        )  # of copies: all at once
    region = kept[inner, inner].copy()
    return replace(brain_map, scores=np.where(region, brain_map.scores, 0), region=region)


def median(brain_map: BrainMap, *, mm: float, within_region: bool = False) -> BrainMap:
    """Median over the cube of `mm` around each voxel of the region.

    Voxels outside the region count as 0, or `within_region` not at all: the median is then over those voxels of the
    cube that are in the region too, the mean of the middle two of an even number. Beyond the box's faces the map is
    reflected, or `within_region` there is no region.

    Raises:
        ValueError: the cube has more voxels than the filter takes.
    """
    scores, region, edge = brain_map.scores, brain_map.region, median_edge(mm, brain_map.edge)
    if edge == 1:
        return brain_map
    from benchmark.postprocessing.median_filter import median_filter  # compiled: imported only where it is needed

    if not within_region:
        return replace(brain_map, scores=median_filter(scores, region, edge))
    whole = _whole_cubes(region, edge)
    medians = np.where(whole, median_filter(scores, whole, edge), _median_within(scores, region, ~whole, edge))
    return replace(brain_map, scores=medians)


def remove_small(brain_map: BrainMap, *, ml: float) -> BrainMap:
    """Remove 26-connected components of less than `ml` from every prediction."""
    smallest = smallest_component(ml, brain_map.edge)
    return brain_map if smallest == 1 else replace(brain_map, scores=area_opening(brain_map.scores, smallest))


def _whole_cubes(region: Mask, edge: int) -> Mask:
    """The voxels whose cube lies in the region."""
    whole = np.pad(region, edge // 2)
    for axis in range(3):
        length = whole.shape[axis] - edge + 1
        along = np.moveaxis(whole, axis, 0)
        whole = np.moveaxis(np.logical_and.reduce([along[step : step + length] for step in range(edge)]), 0, axis)
    return whole


def _median_within(scores: Map, region: Mask, where: Mask, edge: int) -> Map:
    """The median over the region, at its voxels that lie `where`."""
    marked = np.pad(np.where(region, scores, scores.dtype.type(np.inf)), edge // 2, constant_values=np.inf)
    result = np.zeros_like(scores)
    for voxels, windows in _windows(_sortable(marked), region & where, edge):
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

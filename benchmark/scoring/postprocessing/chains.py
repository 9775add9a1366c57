"""Chain and CHAINS: what happens to an anomaly map before its threshold, and to a prediction after it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.study.chains import Chain

Mask = NDArray[np.bool_]
Map = NDArray[np.floating]

TOUCHING = np.ones((3, 3, 3), dtype=bool)


def smooth(anomaly_map: Map, brain_mask: Mask, chain: Chain) -> Map:
    """The map that is thresholded and ranked.

    Args:
        anomaly_map, brain_mask: `(X, Y, Z)`; z is the axial axis.

    Returns:
        `(X, Y, Z)` of the map's dtype, 0 outside the brain and on the eroded rim.

    Raises:
        ValueError: the shapes differ or are not 3-D.
    """
    if anomaly_map.shape != brain_mask.shape or anomaly_map.ndim != 3:
        raise ValueError(f"Got a map of shape {anomaly_map.shape}, wanted (X, Y, Z) = {brain_mask.shape}.")
    kept = _eroded(brain_mask, chain.erosion)
    inside = np.where(kept, anomaly_map, 0)
    if chain.median == 1:
        return inside
    if chain.within_brain:
        return _median_within(inside, kept, chain.median)
    from benchmark.scoring.postprocessing.median_filter import (
        median_filter,  # compiled; what asks for nothing of it starts without the compiler
    )

    return median_filter(inside, kept, chain.median)


def remove_small(prediction: Mask, chain: Chain, voxel_ml: float) -> Mask:
    """The prediction `(X, Y, Z)` without the components that the chain takes for noise."""
    smallest = chain.smallest(voxel_ml)
    if smallest <= 1:
        return prediction.copy()
    labels, _ = ndimage.label(prediction, structure=TOUCHING)
    kept = np.bincount(labels.ravel()) >= smallest
    kept[0] = False
    return np.asarray(kept[labels])


def perfect_prediction(lesion_mask: Mask, brain_mask: Mask, chain: Chain, voxel_ml: float) -> Mask:
    """What the chain leaves of a perfect map, the truth itself, at threshold 0.5; all masks `(X, Y, Z)`."""
    truth = smooth(lesion_mask.astype(np.float32), brain_mask, chain)
    return remove_small(truth > 0.5, chain, voxel_ml)


def _eroded(brain_mask: Mask, iterations: int) -> Mask:
    """What lies outside the box counts as outside the brain."""
    kept = np.pad(brain_mask, ((1, 1), (1, 1), (0, 0)))
    inner, before, after = slice(1, -1), slice(None, -2), slice(2, None)
    for _ in range(iterations):
        kept[inner, inner] &= (
            kept[before, inner] & kept[after, inner] & kept[inner, before] & kept[inner, after]
        )  # of copies: all at once
    return kept[inner, inner].copy()


def _median_within(volume: Map, where: Mask, size: int) -> Map:
    """Median over those neighbours that are in `where` too; the mean of the middle two of an even number."""
    marked = np.pad(np.where(where, volume, volume.dtype.type(np.inf)), size // 2, constant_values=np.inf)
    result = np.zeros_like(volume)
    for voxels, windows in _windows(_sortable(marked), where, size):
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

"""place_lesion: where a lesion lies in a head, how much of each voxel it fills, and its mask."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.errors import BadFile
from datasets.grid import GRIDS, PUBLISHED
from datasets.simulation.implants.design import Place
from datasets.simulation.implants.shapes import Neighbourhood, Shape
from datasets.simulation.implants.tissue import FloatArray, Mask, Tissues

DEEP_MM = 12.0  # minimum depth of a centre in white matter under the brain's surface
RIBBON_MM = 10.0  # from the brain's surface: grey matter within it is cortex
TOUCHING = np.ones((3, 3, 3), dtype=bool)
TRIES = 25
CRUMB = 0.05  # of the largest piece of a shape; smaller pieces are dropped
TOLERANCE = 0.1  # of the volume, or half a voxel if that is more


@dataclass(frozen=True)
class LesionPlacement:
    """A lesion in a head.

    Attributes:
        share: `(X, Y, Z)` in [0, 1], the filled share of each voxel; 0 outside the brain and in pure CSF.
        lesion_mask: `(X, Y, Z)`, where it fills at least half of the tissue.
        centre: of its mask, in voxels.
    """

    share: FloatArray
    lesion_mask: Mask

    @property
    def centre(self) -> NDArray[np.float64]:
        return np.asarray(np.argwhere(self.lesion_mask).mean(axis=0))


def place_lesion(
    tissues: Tissues,
    family: Shape,
    *,
    volume_ml: float,
    place: Place,
    edge_mm: float,
    rng: np.random.Generator,
) -> LesionPlacement:
    """Place a lesion of about `volume_ml`; CSF is never part of it.

    Parts of a shape that are connected to its seeds only through CSF are dropped and their volume is made up elsewhere.
    Of several attempts the first whose volume is within `TOLERANCE` is used, else the closest.

    Args:
        edge_mm: width over which its share falls from 1 to 0.

    Raises:
        BadFile: the brain has no tissue at that place.
    """
    expected = max(1, round(volume_ml / tissues.voxel_ml))
    best: LesionPlacement | None = None
    error = np.inf
    for _ in range(TRIES):
        tried = _attempt(tissues, family, _draw_centre(tissues, volume_ml, place, rng), expected, edge_mm, rng)
        off = abs(int(tried.lesion_mask.sum()) - expected)
        if off < error:
            best, error = tried, off
        if error <= max(TOLERANCE * expected, 0.5):
            break
    if best is None or not best.lesion_mask.any():
        raise BadFile(f"Got a brain without room for {volume_ml:g} ml in {place}, expected a larger one.")
    return best


def _draw_centre(tissues: Tissues, volume_ml: float, place: Place, rng: np.random.Generator) -> NDArray[np.intp]:
    """A voxel of the place's tissue such that the whole lesion lies within the benchmark's box."""
    if place == "white":
        fit = tissues.white & (tissues.edge_mm > DEEP_MM)
    else:
        fit = tissues.grey & (tissues.edge_mm < RIBBON_MM) & tissues.solid
    fit = fit & _covered(tissues, _radius(volume_ml))
    found = np.argwhere(fit)
    if not len(found):
        raise BadFile(f"Got a brain without a voxel of {place} for a lesion's centre, expected some.")
    return np.asarray(found[rng.integers(len(found))])


def _covered(tissues: Tissues, margin_mm: float) -> Mask:
    """`(X, Y, Z)`: at least `margin_mm` inside the standard grid's box, or in its middle where the box is smaller."""
    box = GRIDS[PUBLISHED]
    inside = np.ones(tissues.csf.shape, dtype=bool)
    for axis in range(3):
        reach = max(box.shape[axis] * box.spacing / 2 - margin_mm, 10.0)
        places = np.arange(inside.shape[axis]) - (inside.shape[axis] - 1) / 2
        near = np.abs(places) * tissues.spacing[axis] <= reach
        inside &= near.reshape([-1 if axis == which else 1 for which in range(3)])
    return inside


def _attempt(
    tissues: Tissues, family: Shape, centre: NDArray[np.intp], expected: int, edge_mm: float, rng: np.random.Generator
) -> LesionPlacement:
    radius = _radius(expected * tissues.voxel_ml)
    window = _window(centre, tissues, 2.5 * radius + 10.0)
    indices = np.indices([part.stop - part.start for part in window]).astype(np.float32)
    first = np.array([part.start for part in window])
    offset = (indices + (first - centre)[:, None, None, None]) * np.reshape(tissues.spacing, (3, 1, 1, 1))
    around = Neighbourhood(offset.astype(np.float32), tissues.csf_mm[window], radius, tissues.spacing)
    depth = family(around, rng)
    solid = tissues.solid[window]
    level, mask = _cut(depth, solid, tuple((centre - first).tolist()), expected)
    filled = np.clip(0.5 + (depth - level) / edge_mm, 0, 1)
    near = ndimage.binary_dilation(mask, TOUCHING, max(1, round(edge_mm / min(tissues.spacing))))
    far_part = solid & (depth > level) & ~mask
    share = np.where(near & ~far_part, filled * (1 - tissues.csf[window]), 0)
    whole = LesionPlacement(np.zeros(tissues.csf.shape, dtype=np.float32), np.zeros(tissues.csf.shape, dtype=bool))
    whole.share[window], whole.lesion_mask[window] = share, mask
    return whole


def _cut(depth: FloatArray, solid: Mask, centre: tuple[int, ...], expected: int) -> tuple[float, Mask]:
    """The level at which the part around the centre has `expected` voxels, by bisection over voxel ranks."""
    ranked = np.sort(depth[solid])[::-1]
    low, high = min(expected, ranked.size) - 1, ranked.size - 1
    best = _part(depth, solid, centre, float(ranked[low]))
    while low < high and best[1].sum() < expected:
        middle = (low + high) // 2
        tried = _part(depth, solid, centre, float(ranked[middle]))
        if tried[1].sum() < expected:
            low = middle + 1
        else:
            high = middle
        if abs(int(tried[1].sum()) - expected) <= abs(int(best[1].sum()) - expected):
            best = tried
    return best


def _part(depth: FloatArray, solid: Mask, centre: tuple[int, ...], level: float) -> tuple[float, Mask]:
    """The mask above the level that is connected to the centre; a shape of several pieces keeps them."""
    shape, tissue = depth >= level, (depth >= level) & solid
    pieces, _ = ndimage.label(shape, TOUCHING)
    labels, count = ndimage.label(tissue, TOUCHING)
    if count <= 1:
        return level, np.asarray(tissue)
    kept = np.zeros(count + 1, dtype=bool)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    areas = np.bincount(pieces.ravel())
    areas[0] = 0
    for piece in np.flatnonzero(areas >= CRUMB * areas.max()):
        inside = np.unique(labels[(pieces == piece) & tissue])
        if not inside.size:
            continue
        own = labels[centre] if pieces[centre] == piece and labels[centre] else inside[np.argmax(sizes[inside])]
        kept[own] = True
    kept[0] = False
    return level, np.asarray(kept[labels])


def _window(centre: NDArray[np.intp], tissues: Tissues, reach_mm: float) -> tuple[slice, ...]:
    reach = [int(np.ceil(reach_mm / edge)) for edge in tissues.spacing]
    pairs = zip(centre.tolist(), reach, tissues.csf.shape, strict=True)
    return tuple(slice(max(middle - half, 0), min(middle + half + 1, length)) for middle, half, length in pairs)


def _radius(volume_ml: float) -> float:
    """Radius in mm of a ball of that volume."""
    return float(np.cbrt(volume_ml * 1000 * 3 / 4 / np.pi))

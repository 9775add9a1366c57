"""How lesions grow: from a depth map to a lesion of known volume, and small ovoids scattered one by one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import Relaxation, TissueMaps, draw_point
from datasets.simulation.phantom.lattice import FloatArray, SamplingLattice, largest_component
from datasets.simulation.phantom.lesions import EVERYWHERE, Layer, LesionDraft, Window

GOLDEN = 0.6180339887498949
EDGE_MM = 1.5  # width over which a lesion fades
APART = 2  # minimum voxels between lesions


@dataclass(frozen=True)
class Growth:
    """A lesion's share of each voxel's tissue, `(X, Y, Z)` in [0, 1], and the mask where it fills more than half."""

    share: FloatArray
    lesion_mask: NDArray[np.bool_]


@dataclass(frozen=True)
class Ovoid:
    """A small lesion to be drawn.

    Attributes:
        axis: unit vector of the long axis, which is `elongation` times the others.
        core: another tissue inside, leaving a rim of a quarter of the radius.
    """

    centre: NDArray[np.float64]
    axis: NDArray[np.float64]
    elongation: float
    volume_ml: float
    tissue: Relaxation
    place: str
    contrast: float = 1.0
    core: Relaxation | None = None


@dataclass(frozen=True)
class Site:
    """Weights `(X, Y, Z)` of where a lesion may lie, and the ovoid for the point in mm that is drawn."""

    weights: FloatArray
    ovoid_at: Callable[[NDArray[np.float64]], Ovoid]


def grow(
    depth: FloatArray,
    free: NDArray[np.bool_],
    csf: FloatArray,
    voxels: int,
    *,
    whole: bool = True,
    edge_mm: float = EDGE_MM,
) -> Growth:
    """The lesion of about `voxels` voxels whose border lies at one depth.

    Args:
        depth: in mm, larger further inside; only differences matter.
        free: where it may grow; voxels with mostly CSF are excluded.
        whole: keep only the largest connected part.
    """
    depth = np.where(free & (csf < 0.5), depth, -np.inf)
    half_full = depth - edge_mm * csf / (1 - csf.clip(0, 0.5))  # > level: it fills half of a voxel
    voxels = max(1, min(voxels, int(np.isfinite(depth).sum()) - 1))
    level = np.sort(half_full, axis=None)[-voxels - 1 :][:2].mean()  # between the last inside and the first outside
    filled = half_full > level
    own_mask = largest_component(filled) if whole else filled
    near = scipy.ndimage.binary_dilation(own_mask, iterations=2) & ~(filled & ~own_mask)
    share = np.clip(0.5 + (depth - level) / (2 * edge_mm), 0, 1)
    return Growth(np.where(near, share, 0).astype(np.float32), own_mask)


def scatter(
    sites: Sequence[Site], anatomy: TissueMaps, taken: NDArray[np.bool_], rng: np.random.Generator
) -> list[LesionDraft]:
    """One lesion for every site that has room left, not touching another lesion or `taken`."""
    free = anatomy.brain_mask & ~_with_margin(taken)
    drawn = []
    for site in sites:
        point = draw_point(np.where(free, site.weights, 0), anatomy.lattice, rng)
        if point is not None:
            lesion = draw_ovoid(site.ovoid_at(point), anatomy, free, rng)
            drawn.append(lesion)
            free = _without(free, lesion)
    return drawn


def draw_ovoid(ovoid: Ovoid, anatomy: TissueMaps, free: NDArray[np.bool_], rng: np.random.Generator) -> LesionDraft:
    """Draw the lesion within `free`."""
    lattice = anatomy.lattice
    radius = radius_mm(ovoid.volume_ml)
    window = window_about(ovoid.centre, 1.5 * ovoid.elongation * radius + 3 * lattice.spacing, lattice)
    depth = _depth(ovoid, window, lattice, rng)
    edge_mm = min(EDGE_MM, 0.7 * radius)
    grown = grow(depth, free[window], anatomy.csf[window], voxel_count(ovoid.volume_ml, lattice), edge_mm=edge_mm)
    layers = [Layer(ovoid.tissue, ovoid.contrast * grown.share)]
    if ovoid.core is not None:
        inner = np.clip(0.5 + (depth + 0.75 * radius) / edge_mm, 0, 1).astype(np.float32)
        layers.append(Layer(ovoid.core, ovoid.contrast * np.minimum(inner, grown.share)))
    return LesionDraft(tuple(layers), grown.lesion_mask, ovoid.contrast, ovoid.place, window)


def voxel_count(volume_ml: float, lattice: SamplingLattice) -> int:
    return max(1, round(volume_ml / lattice.voxel_ml))


def radius_mm(volume_ml: float) -> float:
    """Radius of a ball of that volume."""
    return float((volume_ml * 1000 * 3 / 4 / np.pi) ** (1 / 3))


def spread(index: int, rng: np.random.Generator, low: float, high: float) -> float:
    """A number from `low` to `high`, log-uniform, that follows the golden-ratio sequence over cases.

    A few cases then cover small and large.
    """
    place = np.clip((0.5 + GOLDEN * index) % 1 + rng.uniform(-0.05, 0.05), 0, 1)
    return float(low * (high / low) ** place)


def window_about(centre: NDArray[np.float64], half_mm: float, lattice: SamplingLattice) -> Window:
    """The voxels within `half_mm` of `centre` along each axis, clipped to the volume."""
    middle = (centre - lattice.affine[:3, 3]) / lattice.spacing
    low = np.clip(np.floor(middle - half_mm / lattice.spacing), 0, np.array(lattice.shape) - 1).astype(int)
    high = np.clip(np.ceil(middle + half_mm / lattice.spacing) + 1, low + 1, lattice.shape).astype(int)
    x, y, z = (slice(int(first), int(last)) for first, last in zip(low, high, strict=True))
    return x, y, z


def offsets(
    centre: NDArray[np.float64], lattice: SamplingLattice, window: Window = EVERYWHERE
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Offsets in mm of the voxels of `window` from `centre` along x, y and z, shaped to broadcast."""
    x, y, z = (
        np.take(axis, range(*part.indices(axis.shape[number])), axis=number) - middle
        for number, (axis, part, middle) in enumerate(zip(lattice.axes, window, centre, strict=True))
    )
    return x, y, z


def _depth(ovoid: Ovoid, window: Window, lattice: SamplingLattice, rng: np.random.Generator) -> FloatArray:
    """Minus the distance from the centre in mm, scaled along the long axis, with slightly uneven sides."""
    x, y, z = offsets(ovoid.centre, lattice, window)
    along = x * ovoid.axis[0] + y * ovoid.axis[1] + z * ovoid.axis[2]
    square = x**2 + y**2 + z**2 - (1 - ovoid.elongation**-2) * along**2
    skew = rng.normal(0, 0.12, 3)
    distance = np.sqrt(np.maximum(square, 0)) * ovoid.elongation ** (1 / 3)
    return np.asarray(skew[0] * x + skew[1] * y + skew[2] * z - distance, dtype=np.float32)


def _with_margin(taken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(scipy.ndimage.binary_dilation(taken, np.ones((3, 3, 3)), iterations=APART))


def _without(free: NDArray[np.bool_], lesion: LesionDraft) -> NDArray[np.bool_]:
    wider = tuple(slice(max(part.start - APART, 0), part.stop + APART) for part in lesion.window)
    taken = np.zeros_like(free)
    taken[lesion.window] = lesion.lesion_mask
    rest = free.copy()
    rest[wider] &= ~_with_margin(taken[wider])
    return rest

"""Small ovoid lesions, one after the other, each in a window of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.simulation.phantom.anatomy import Anatomy
from datasets.simulation.phantom.growth import EDGE_MM, grow, offsets, radius_mm, voxel_count, window_about
from datasets.simulation.phantom.lattice import Lattice, Volume
from datasets.simulation.phantom.lesions import Drawn, Layer, Window
from datasets.simulation.phantom.places import choose
from datasets.simulation.phantom.tissues import Relaxation

APART = 2  # voxels between lesions, at least


@dataclass(frozen=True)
class Ovoid:
    """What is asked for.

    Attributes:
        axis: unit vector of the long axis, which is `elongation` times the others.
        core: another tissue inside, that leaves a rim of a quarter of the radius.
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
    """Where a lesion may be, `(X, Y, Z)` of weights, and what it is when a point in mm has been drawn."""

    weights: Volume
    ovoid_at: Callable[[NDArray[np.float64]], Ovoid]


def scatter(sites: Sequence[Site], anatomy: Anatomy, taken: NDArray[np.bool_], rng: np.random.Generator) -> list[Drawn]:
    """One lesion for every site that has room left, none touching another or what is `taken`."""
    free = anatomy.brain_mask & ~_with_margin(taken)
    drawn = []
    for site in sites:
        point = choose(np.where(free, site.weights, 0), anatomy.lattice, rng)
        if point is not None:
            lesion = draw_ovoid(site.ovoid_at(point), anatomy, free, rng)
            drawn.append(lesion)
            free = _without(free, lesion)
    return drawn


def draw_ovoid(ovoid: Ovoid, anatomy: Anatomy, free: NDArray[np.bool_], rng: np.random.Generator) -> Drawn:
    """The lesion, as far as `free` allows it."""
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
    return Drawn(tuple(layers), grown.lesion_mask, ovoid.contrast, ovoid.place, window)


def _depth(ovoid: Ovoid, window: Window, lattice: Lattice, rng: np.random.Generator) -> Volume:
    """Minus the distance from the centre in mm, the long axis shortened to the others; its sides a little uneven."""
    x, y, z = offsets(ovoid.centre, lattice, window)
    along = x * ovoid.axis[0] + y * ovoid.axis[1] + z * ovoid.axis[2]
    square = x**2 + y**2 + z**2 - (1 - ovoid.elongation**-2) * along**2
    skew = rng.normal(0, 0.12, 3)
    distance = np.sqrt(np.maximum(square, 0)) * ovoid.elongation ** (1 / 3)
    return np.asarray(skew[0] * x + skew[1] * y + skew[2] * z - distance, dtype=np.float32)


def _with_margin(taken: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return np.asarray(ndimage.binary_dilation(taken, np.ones((3, 3, 3)), iterations=APART))


def _without(free: NDArray[np.bool_], lesion: Drawn) -> NDArray[np.bool_]:
    wider = tuple(slice(max(part.start - APART, 0), part.stop + APART) for part in lesion.window)
    taken = np.zeros_like(free)
    taken[lesion.window] = lesion.lesion_mask
    rest = free.copy()
    rest[wider] &= ~_with_margin(taken[wider])
    return rest

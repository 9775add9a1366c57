"""White matter hyperintensities of presumed vascular origin: caps, bands and deep spots."""

from functools import partial

import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import BrainMaps, Relaxation, TissueMaps, brain_maps
from datasets.simulation.phantom.family import Ages, Family, LesionedBrain
from datasets.simulation.phantom.growth import GOLDEN, Ovoid, Site, grow, scatter, spread, voxel_count
from datasets.simulation.phantom.lattice import FloatArray, smooth_field
from datasets.simulation.phantom.lesions import Layer, LesionDraft, combine_lesions

SMALLEST_ML, LARGEST_ML = 1.0, 40.0
DEEP_ML = (0.02, 0.5)
CONFLUENT = Relaxation(0.84, 1220, 140)
PUNCTATE = Relaxation(0.82, 1150, 132)
CALLOSUM_MM = 8.0  # |x| up to which white matter is spared
SMALLEST_PART = 0.02  # ml, of separate parts beside the ventricles


def draw_wmh(anatomy: TissueMaps, index: int, rng: np.random.Generator) -> LesionedBrain:
    """A load of `SMALLEST_ML` to `LARGEST_ML`, most of it beside the ventricles, the rest in deep spots.

    Both hemispheres are nearly symmetric: caps on the horns and bands along the bodies, which merge and extend outwards
    with the load (Fazekas 1 to 3).
    """
    where, lattice = brain_maps(anatomy), anatomy.lattice
    load = spread(index, rng, SMALLEST_ML, LARGEST_ML)
    beside_ml = load * rng.uniform(0.65, 0.9)
    off_callosum = np.abs(lattice.axes[0]) > CALLOSUM_MM
    free = where.cerebral & (anatomy.white > 0.35) & (where.under_surface > 11) & off_callosum
    grown = grow(_depth(where, anatomy, rng), free, anatomy.csf, voxel_count(beside_ml, lattice), whole=False)
    mask = _without_crumbs(grown.lesion_mask, voxel_count(SMALLEST_PART, lattice))
    share = np.where(scipy.ndimage.binary_dilation(mask, iterations=2), grown.share, 0).astype(np.float32)
    beside = LesionDraft((Layer(CONFLUENT, share),), mask, 1.0, "periventricular")
    spots = scatter(_deep_sites(load - beside_ml, where, anatomy, rng), anatomy, mask, rng)
    return LesionedBrain(anatomy, combine_lesions(lattice, [beside, *spots], (CONFLUENT, PUNCTATE)))


def _depth(where: BrainMaps, anatomy: TissueMaps, rng: np.random.Generator) -> FloatArray:
    """Minus the distance to the ventricles in mm, less at the horns, and nearly symmetric."""
    lattice = anatomy.lattice
    _, y, z = lattice.axes
    fine, coarse = smooth_field(rng, lattice, 7), smooth_field(rng, lattice, 20)
    both = 1.0 * (fine + 0.3 * fine[::-1]) + 0.9 * (coarse + coarse[::-1])
    caps = 2.5 * np.exp(-(((y - 28) / 12) ** 2)) + 1.2 * np.exp(-(((y + 55) / 16) ** 2))
    below = np.maximum(0, 12 - z) * 0.25
    return np.asarray(caps + both - below - where.from_ventricle, dtype=np.float32)


def _without_crumbs(mask: NDArray[np.bool_], voxels: int) -> NDArray[np.bool_]:
    parts, _ = scipy.ndimage.label(mask, structure=np.ones((3, 3, 3)))
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= min(voxels, sizes.max()))[parts])


def _deep_sites(rest_ml: float, where: BrainMaps, anatomy: TissueMaps, rng: np.random.Generator) -> list[Site]:
    white = np.where(where.cerebral, anatomy.white**2, 0)
    z = anatomy.lattice.axes[2]
    weights = (white * (where.from_ventricle > 9) * (where.under_surface > 14) * (z > 5)).astype(np.float32)
    volumes: list[float] = []
    while sum(volumes) < rest_ml and len(volumes) < 40:
        volumes.append(float(np.clip(0.09 * np.exp(rng.normal(0, 0.9)), *DEEP_ML)))
    return [Site(weights, partial(_spot, volume, rng)) for volume in sorted(volumes, reverse=True)]


def _spot(volume_ml: float, rng: np.random.Generator, point: NDArray[np.float64]) -> Ovoid:
    axis = rng.standard_normal(3)
    contrast = float(rng.uniform(0.75, 1))
    return Ovoid(point, axis / np.linalg.norm(axis), rng.uniform(1, 1.8), volume_ml, PUNCTATE, "deep white", contrast)


def _ages(index: int) -> Ages:
    """Age rises with the load: `spread` follows the same sequence."""
    return Ages(58 + 24 * ((0.5 + GOLDEN * index) % 1), 5, 45, 94, 0.52)


WMH = Family(
    title="Phantom, white matter hyperintensities",
    prefix="wmh",
    stream=5,
    ages=_ages,
    draw=draw_wmh,
    reference=(
        "Wardlaw et al. 2013, doi:10.1016/S1474-4422(13)70124-8; Kim et al. 2008, doi:10.1016/j.biopsych.2008.03.024"
    ),
    regions={},
)

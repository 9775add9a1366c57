"""Multiple sclerosis: many small ovoid lesions at the sites of the diagnostic criteria."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import BrainMaps, Relaxation, TissueMaps, brain_maps
from datasets.simulation.phantom.family import Ages, Family, LesionedBrain
from datasets.simulation.phantom.growth import Ovoid, Site, radius_mm, scatter, spread
from datasets.simulation.phantom.lattice import FloatArray
from datasets.simulation.phantom.lesions import combine_lesions

FEWEST, MOST = 5, 50
SMALLEST_ML, LARGEST_ML = 0.02, 2.0
MEDIAN_ML, SPREAD = 0.15, 1.2  # of the log-normal distribution of volumes
PLACES = {"periventricular": 0.5, "juxtacortical": 0.2, "deep white": 0.2, "infratentorial": 0.1}
PLAQUE = Relaxation(0.86, 1300, 155)
HOLE = Relaxation(0.90, 1900, 190)  # black on T1: axons are lost
BLACK_HOLES = 0.3  # of the lesions


def draw_ms(anatomy: TissueMaps, index: int, rng: np.random.Generator) -> LesionedBrain:
    """`FEWEST` to `MOST` lesions, the largest first.

    Half of them lie beside the ventricles with their long axis perpendicular to the wall, along the veins (Dawson's
    fingers); the others under the cortex, deep in white matter, and below the tentorium.
    """
    count = round(spread(index, rng, FEWEST, MOST))
    where = brain_maps(anatomy)
    volumes = np.clip(MEDIAN_ML * np.exp(SPREAD * rng.standard_normal(count)), SMALLEST_ML, LARGEST_ML)
    names = rng.choice(list(PLACES), size=count, p=list(PLACES.values()))
    sites = [
        _site(str(name), volume, where, anatomy, rng) for name, volume in zip(names, -np.sort(-volumes), strict=True)
    ]
    drawn = scatter(sites, anatomy, np.zeros(anatomy.lattice.shape, dtype=bool), rng)
    return LesionedBrain(anatomy, combine_lesions(anatomy.lattice, drawn, (PLAQUE, HOLE)))


def _site(place: str, volume_ml: float, where: BrainMaps, anatomy: TissueMaps, rng: np.random.Generator) -> Site:
    return Site(_weights(place, volume_ml, where, anatomy), partial(_ovoid, place, volume_ml, where, rng))


def _weights(place: str, volume_ml: float, where: BrainMaps, anatomy: TissueMaps) -> FloatArray:
    spacing, radius = anatomy.lattice.spacing, radius_mm(volume_ml)
    white = np.where(where.cerebral, anatomy.white**2, 0)
    if place == "periventricular":
        return white * np.exp(-(((where.from_ventricle - 1.3 * radius - 0.5 * spacing) / 2.5) ** 2))
    if place == "juxtacortical":
        nearest = np.exp(-(((where.under_surface - 9 - radius) / 3) ** 2))
        return white * nearest * (where.from_ventricle > 15)
    if place == "deep white":
        return white**2 * (where.from_ventricle > 8) * (where.under_surface > 16)
    return np.where(where.infratentorial & (where.under_surface > 5 + radius), anatomy.white**2, 0).astype(np.float32)


def _ovoid(
    place: str, volume_ml: float, where: BrainMaps, rng: np.random.Generator, point: NDArray[np.float64]
) -> Ovoid:
    axis, elongation = rng.standard_normal(3), rng.uniform(1, 1.6)
    if place == "periventricular":
        axis, elongation = where.away_from_ventricle(point) + rng.normal(0, 0.15, 3), rng.uniform(1.6, 2.8)
    tissue = HOLE if rng.random() < BLACK_HOLES and volume_ml > 0.05 else PLAQUE
    contrast = float(rng.uniform(0.7, 1))
    return Ovoid(point, axis / np.linalg.norm(axis), elongation, volume_ml, tissue, place, contrast)


def _ages(index: int) -> Ages:
    return Ages(39, 10, 18, 65, 0.7)


MS = Family(
    title="Phantom, multiple sclerosis",
    prefix="ms",
    stream=3,
    ages=_ages,
    draw=draw_ms,
    reference=(
        "Filippi et al. 2016, doi:10.1016/S1474-4422(15)00393-2; Lesjak et al. 2018, doi:10.1007/s12021-017-9348-7"
    ),
    regions={},
)

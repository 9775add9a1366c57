"""Stroke: chronic or subacute infarcts in the territory of an artery, and lacunes."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import BrainMaps, Relaxation, TissueMaps, brain_maps, draw_point
from datasets.simulation.phantom.family import Ages, Family, LesionedBrain
from datasets.simulation.phantom.growth import (
    Growth,
    Ovoid,
    Site,
    grow,
    offsets,
    radius_mm,
    scatter,
    spread,
    voxel_count,
)
from datasets.simulation.phantom.lattice import FloatArray, smooth_field
from datasets.simulation.phantom.lesions import Layer, LesionDraft, combine_lesions

SMALLEST_ML, LARGEST_ML = 0.1, 150.0
TERRITORIES = {"middle": 0.74, "posterior": 0.16, "anterior": 0.10}  # cerebral artery
CHRONIC = 0.6  # of the infarcts
LACUNE_ML = (0.1, 0.5)
SUBACUTE = Relaxation(0.88, 1600, 150)
GLIOSIS = Relaxation(0.88, 1550, 165)
CAVITY = Relaxation(0.99, 3500, 900)
TISSUES = (SUBACUTE, GLIOSIS, CAVITY)
REGIONS = {1: "cavity", 2: "gliosis or subacute infarct"}


def draw_stroke(anatomy: TissueMaps, index: int, rng: np.random.Generator) -> LesionedBrain:
    """One territorial infarct of `SMALLEST_ML` to `LARGEST_ML` and none to three lacunes.

    The infarct is a wedge to the cortex in one hemisphere. A chronic one has a fluid-filled cavity and a gliotic rim, a
    subacute one is homogeneous.
    """
    where = brain_maps(anatomy)
    volume_ml = spread(index, rng, SMALLEST_ML, LARGEST_ML)
    territory = str(rng.choice(list(TERRITORIES), p=list(TERRITORIES.values())))
    wedge, depth, side = _draw_wedge(anatomy, where, territory, volume_ml, rng)
    layers, cavity = _layers(anatomy, wedge, depth, volume_ml, rng)
    infarct = LesionDraft(layers, wedge.lesion_mask, 1.0, f"{side} {territory} cerebral artery")
    lacunes = scatter(_lacune_sites(anatomy, where, rng), anatomy, wedge.lesion_mask, rng)
    lesions = combine_lesions(anatomy.lattice, [infarct, *lacunes], TISSUES)
    regions = np.where(lesions.lesion_mask, 2, 0).astype(np.uint8)
    regions[cavity & lesions.lesion_mask] = 1
    return LesionedBrain(anatomy, replace(lesions, regions=_with_lacunes(regions, lacunes)))


def _draw_wedge(
    anatomy: TissueMaps, where: BrainMaps, territory: str, volume_ml: float, rng: np.random.Generator
) -> tuple[Growth, FloatArray, str]:
    """A cone with its tip towards the territory's artery and its base at the cortex."""
    lattice, length = anatomy.lattice, 1.7 * radius_mm(volume_ml)
    base = draw_point(_cortex(anatomy, where, territory), lattice, rng)
    base = np.array([50.0, -10.0, 20.0]) if base is None else base
    sign = 1 if base[0] > 0 else -1
    inwards = _artery(territory, sign) - base
    inwards = inwards / np.linalg.norm(inwards)
    tip = base + min(length, 45.0) * inwards
    offset = offsets(tip, lattice)
    outwards = -sum(part * step for part, step in zip(offset, inwards, strict=True))
    across = np.sqrt(np.maximum(sum(part**2 for part in offset) - outwards**2, 0))
    rough = 0.16 * length * smooth_field(rng, lattice, max(0.5 * length, 5))
    depth = (0.65 * outwards - across - 0.25 * np.maximum(outwards - length, 0) + rough).astype(np.float32)
    one_side = lattice.axes[0] * sign > 3
    free = where.cerebral & one_side & (where.from_ventricle > 3)
    return grow(depth, free, anatomy.csf, voxel_count(volume_ml, lattice)), depth, "right" if sign > 0 else "left"


def _cortex(anatomy: TissueMaps, where: BrainMaps, territory: str) -> FloatArray:
    """Weights of the wedge's base."""
    x, y, z = anatomy.lattice.axes
    across = np.abs(x)
    inside = {
        "middle": (across > 36) & (y > -60) & (y < 40) & (z > -12) & (z < 52),
        "posterior": (across > 6) & (across < 34) & (y < -68) & (z < 28),
        "anterior": (across > 4) & (across < 20) & (y > -10) & (z > 15),
    }[territory]
    cortical = where.cerebral & inside & (where.under_surface < 9) & (where.under_surface > 2)
    return np.where(cortical, anatomy.grey, 0)


def _artery(territory: str, sign: int) -> NDArray[np.float64]:
    place = {"middle": (24, -2, 8), "posterior": (18, -42, 2), "anterior": (10, 12, 12)}[territory]
    return np.array([sign * place[0], place[1], place[2]], dtype=np.float64)


def _layers(
    anatomy: TissueMaps, wedge: Growth, depth: FloatArray, volume_ml: float, rng: np.random.Generator
) -> tuple[tuple[Layer, ...], NDArray[np.bool_]]:
    """Tissue layers, and the mask of the cavity."""
    lattice = anatomy.lattice
    patchy = np.clip(0.88 + 0.15 * smooth_field(rng, lattice, 7), 0.5, 1).astype(np.float32)
    if rng.random() > CHRONIC:
        return (Layer(SUBACUTE, wedge.share * patchy),), np.zeros(lattice.shape, dtype=bool)
    cavity_ml = volume_ml * rng.uniform(0.25, 0.55)
    uneven = depth + 0.2 * radius_mm(volume_ml) * smooth_field(rng, lattice, 8)
    cavity = grow(
        uneven.astype(np.float32), wedge.lesion_mask, anatomy.csf, voxel_count(cavity_ml, lattice), whole=False
    )
    return (Layer(GLIOSIS, wedge.share * patchy), Layer(CAVITY, cavity.share * wedge.share)), cavity.lesion_mask


def _lacune_sites(anatomy: TissueMaps, where: BrainMaps, rng: np.random.Generator) -> list[Site]:
    """Sites in the basal ganglia and the white matter above them."""
    x, y, z = anatomy.lattice.axes
    central = (np.abs(x) > 8) & (np.abs(x) < 34) & (y > -35) & (y < 25) & (z > -6) & (z < 32)
    fit = where.cerebral & central & (where.under_surface > 18) & (where.from_ventricle > 4) & (anatomy.csf < 0.2)
    weights = fit.astype(np.float32)

    def lacune(point: NDArray[np.float64]) -> Ovoid:
        axis = rng.standard_normal(3)
        volume_ml = float(rng.uniform(*LACUNE_ML))
        return Ovoid(point, axis / np.linalg.norm(axis), rng.uniform(1, 1.5), volume_ml, GLIOSIS, "lacune", core=CAVITY)

    return [Site(weights, lacune)] * int(rng.integers(0, 4))


def _with_lacunes(regions: NDArray[np.uint8], lacunes: list[LesionDraft]) -> NDArray[np.uint8]:
    whole = regions.copy()
    for lacune in lacunes:
        hollow = lacune.lesion_mask & (lacune.layers[-1].share > 0.5)
        whole[lacune.window] = np.where(hollow, 1, whole[lacune.window])
    return whole


def _ages(index: int) -> Ages:
    return Ages(68, 12, 30, 92, 0.46)


STROKE = Family(
    title="Phantom, stroke",
    prefix="stroke",
    stream=4,
    ages=_ages,
    draw=draw_stroke,
    reference=(
        "Ng et al. 2007, doi:10.1161/STROKEAHA.106.475483; Wardlaw et al. 2013, doi:10.1016/S1474-4422(13)70124-8"
    ),
    regions=REGIONS,
)

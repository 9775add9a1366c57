"""Glioma: one mass with its oedema, that pushes the brain aside."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.simulation.phantom.anatomy import Anatomy
from datasets.simulation.phantom.family import Ages
from datasets.simulation.phantom.glioma import Displaced, displace
from datasets.simulation.phantom.growth import Grown, grow, offsets, radius_mm, spread, voxel_count
from datasets.simulation.phantom.lattice import smooth_field
from datasets.simulation.phantom.lesion_family import Affected, Family
from datasets.simulation.phantom.lesions import Drawn, Layer, put_together
from datasets.simulation.phantom.places import choose, places
from datasets.simulation.phantom.tissues import Relaxation

SMALLEST_ML, LARGEST_ML = 5.0, 120.0
OEDEMA = Relaxation(0.87, 1350, 180)
SOLID = Relaxation(0.91, 1500, 185)  # without necrosis, as of low grade
RIM = Relaxation(0.86, 1400, 135)  # cellular, which takes up contrast agent
NECROSIS = Relaxation(0.96, 2600, 280)
TISSUES = (OEDEMA, SOLID, RIM, NECROSIS)
REGIONS = {1: "necrosis or solid core", 2: "oedema", 4: "rim"}  # the numbers of BraTS


@dataclass(frozen=True)
class Plan:
    """Shares of the whole volume, and of the core that is new to the brain; `necrotic` 0 for a low grade."""

    volume_ml: float
    core: float
    necrotic: float
    grown: float

    @property
    def core_ml(self) -> float:
        return self.volume_ml * self.core


def draw_glioma(anatomy: Anatomy, index: int, rng: np.random.Generator) -> Affected:
    """One mass of `SMALLEST_ML` to `LARGEST_ML`, two of three of a high grade.

    A high grade has a necrotic core, a rim about it and much oedema, which follows white matter; a low
    grade is solid nearly throughout and pushes less. All sub-regions are one lesion.
    """
    plan = _draw_plan(index, rng)
    radius = radius_mm(plan.core_ml)
    centre = _draw_centre(anatomy, radius, rng)
    displaced = displace(anatomy, centre, radius, plan.grown)
    pushed = displaced.anatomy
    core, whole = _draw_shapes(displaced, plan, centre, rng)
    layers, regions = _layers(pushed, plan, core, whole, rng)
    drawn = Drawn(layers, whole.lesion_mask, 1.0, _place(anatomy, centre))
    lesions = put_together(anatomy.lattice, [drawn], TISSUES)
    farthest = float(displaced.moved_mm[anatomy.brain_mask & ~core.lesion_mask].max())
    return Affected(pushed, replace(lesions.pushing(farthest), regions=regions))


def _draw_plan(index: int, rng: np.random.Generator) -> Plan:
    volume_ml = spread(index, rng, SMALLEST_ML, LARGEST_ML)
    if index % 3 != 1:
        return Plan(volume_ml, rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.5), rng.uniform(0.6, 0.9))
    return Plan(volume_ml, rng.uniform(0.7, 0.9), 0.0, rng.uniform(0.35, 0.6))


def _draw_centre(anatomy: Anatomy, radius: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """In the cerebrum's white matter, deep enough for the core to be inside the brain."""
    where = places(anatomy)
    x = np.abs(anatomy.lattice.axes[0])
    deep = np.clip(where.under_surface / (4 + 0.9 * radius) - 0.5, 0, 0.5) * (x > 14)
    point = choose(
        np.where(where.cerebral & (where.from_ventricle > 0.5 * radius), deep * anatomy.white**2, 0),
        anatomy.lattice,
        rng,
    )
    return np.array([30.0, -15.0, 25.0]) if point is None else point


def _draw_shapes(
    displaced: Displaced, plan: Plan, centre: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Grown, Grown]:
    """Core, and core with oedema: fingers along white matter that leave the cortex alone; all on one side."""
    anatomy = displaced.anatomy
    lattice, radius = anatomy.lattice, radius_mm(plan.core_ml)
    one_side = anatomy.brain_mask & ((lattice.axes[0] - displaced.vectors[0]) * centre[0] > 0)
    x, y, z = offsets(centre, lattice)
    distance = np.sqrt(x**2 + y**2 + z**2)
    core_depth = 0.22 * radius * smooth_field(rng, lattice, max(0.6 * radius, 5)) - distance
    core = grow(core_depth, one_side, anatomy.csf, voxel_count(plan.core_ml, lattice))
    outer = radius_mm(plan.volume_ml)
    fingers = 0.35 * outer * smooth_field(rng, lattice, max(0.6 * outer, 6)) + outer * (anatomy.white - 0.5)
    depth = np.where(core.lesion_mask, 1e3, fingers - 0.9 * distance).astype(np.float32)
    return core, grow(depth, one_side, anatomy.csf, voxel_count(plan.volume_ml, lattice))


def _layers(
    anatomy: Anatomy, plan: Plan, core: Grown, whole: Grown, rng: np.random.Generator
) -> tuple[tuple[Layer, ...], NDArray[np.uint8]]:
    """Oedema under the core under its necrosis, and where each of them is."""
    lattice = anatomy.lattice
    patchy = np.clip(0.8 + 0.17 * smooth_field(rng, lattice, 8), 0.45, 1).astype(np.float32)
    oedema = Layer(OEDEMA, whole.share * patchy)
    regions = np.where(whole.lesion_mask, 2, 0).astype(np.uint8)
    if plan.necrotic == 0:
        regions[core.lesion_mask] = 1
        return (oedema, Layer(SOLID, core.share * patchy)), regions
    necrosis = _inside(anatomy, core, plan.core_ml * plan.necrotic, rng)
    regions[core.lesion_mask] = 4
    regions[necrosis.lesion_mask] = 1
    return (oedema, Layer(RIM, core.share), Layer(NECROSIS, necrosis.share)), regions


def _inside(anatomy: Anatomy, core: Grown, volume_ml: float, rng: np.random.Generator) -> Grown:
    """The deepest part of the core, its border uneven: a rim of varying thickness stays."""
    lattice = anatomy.lattice
    depth = ndimage.distance_transform_edt(core.lesion_mask, sampling=lattice.spacing)
    depth = depth + 1.5 * smooth_field(rng, lattice, 8) * (depth > 0)
    return grow(depth.astype(np.float32), core.lesion_mask, anatomy.csf, voxel_count(volume_ml, lattice))


def _place(anatomy: Anatomy, centre: NDArray[np.float64]) -> str:
    """The lobe, by where the Sylvian fissure and the central sulcus are in MNI space."""
    x, y, z = centre
    side = "left" if x < 0 else "right"
    if z < 2 and y > -45 and abs(x) > 28:
        return f"{side} temporal"
    if y < -62:
        return f"{side} occipital"
    return f"{side} frontal" if y > -22 + 0.1 * z else f"{side} parietal"


def _ages(index: int) -> Ages:
    """Low grades come twenty years earlier."""
    return Ages(42, 12, 18, 75, 0.43) if index % 3 == 1 else Ages(62, 11, 30, 85, 0.42)


GLIOMA = Family(
    title="Phantom, glioma",
    prefix="glioma",
    stream=2,
    ages=_ages,
    draw=draw_glioma,
    reference="Menze et al. 2015, doi:10.1109/TMI.2014.2377694; Clatz et al. 2005, doi:10.1109/TMI.2005.857217",
    regions=REGIONS,
)

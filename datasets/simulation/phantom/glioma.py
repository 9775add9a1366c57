"""Glioma: one mass with oedema, which displaces the brain around it."""

from dataclasses import dataclass, replace

import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import Relaxation, TissueMaps, brain_maps, draw_point
from datasets.simulation.phantom.family import Ages, Family, LesionedBrain
from datasets.simulation.phantom.growth import Growth, grow, offsets, radius_mm, spread, voxel_count
from datasets.simulation.phantom.lattice import FloatArray, SamplingLattice, smooth_field
from datasets.simulation.phantom.lesions import Layer, LesionDraft, combine_lesions

REACH_MM = 65.0  # from the mass to where nothing moves
SOFT_MM = 4.0  # width over which fluid fades at the mass
HELD_MM = 18.0  # depth under the brain's surface over which the skull restrains displacement
SMALLEST_ML, LARGEST_ML = 5.0, 120.0
OEDEMA = Relaxation(0.87, 1350, 180)
SOLID = Relaxation(0.91, 1500, 185)  # without necrosis, as of low grade
RIM = Relaxation(0.86, 1400, 135)  # cellular, which takes up contrast agent
NECROSIS = Relaxation(0.96, 2600, 280)
TISSUES = (OEDEMA, SOLID, RIM, NECROSIS)
REGIONS = {1: "necrosis or solid core", 2: "oedema", 4: "rim"}  # the numbers of BraTS


@dataclass(frozen=True)
class Displacement:
    """An anatomy after displacement, and where the content of each voxel came from.

    Attributes:
        vectors: `(3, X, Y, Z)` in mm, by which the content of a voxel has moved.
    """

    anatomy: TissueMaps
    vectors: FloatArray

    @property
    def moved_mm(self) -> FloatArray:
        return np.asarray(np.sqrt((self.vectors**2).sum(axis=0)), dtype=np.float32)


@dataclass(frozen=True)
class Plan:
    """Volume of a glioma; shares of its core, of the core's necrosis (0 for a low grade) and of its new volume."""

    volume_ml: float
    core: float
    necrotic: float
    grown: float

    @property
    def core_ml(self) -> float:
        return self.volume_ml * self.core


def draw_glioma(anatomy: TissueMaps, index: int, rng: np.random.Generator) -> LesionedBrain:
    """One mass of `SMALLEST_ML` to `LARGEST_ML`, two of three of a high grade.

    A high grade has a necrotic core, a rim around it and much oedema, which follows white matter; a low grade is
    almost entirely solid and displaces less. All sub-regions are one lesion.
    """
    plan = _draw_plan(index, rng)
    radius = radius_mm(plan.core_ml)
    centre = _draw_centre(anatomy, radius, rng)
    displaced = displace(anatomy, centre, radius, plan.grown)
    pushed = displaced.anatomy
    core, whole = _draw_shapes(displaced, plan, centre, rng)
    layers, regions = _layers(pushed, plan, core, whole, rng)
    drawn = LesionDraft(layers, whole.lesion_mask, 1.0, _place(anatomy, centre))
    lesions = combine_lesions(anatomy.lattice, [drawn], TISSUES)
    farthest = float(displaced.moved_mm[anatomy.brain_mask & ~core.lesion_mask].max())
    return LesionedBrain(pushed, replace(lesions.pushing(farthest), regions=regions))


def _draw_plan(index: int, rng: np.random.Generator) -> Plan:
    volume_ml = spread(index, rng, SMALLEST_ML, LARGEST_ML)
    if index % 3 != 1:
        return Plan(volume_ml, rng.uniform(0.25, 0.5), rng.uniform(0.25, 0.5), rng.uniform(0.6, 0.9))
    return Plan(volume_ml, rng.uniform(0.7, 0.9), 0.0, rng.uniform(0.35, 0.6))


def _draw_centre(anatomy: TissueMaps, radius: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """A point in cerebral white matter, deep enough for the core to fit inside the brain."""
    where = brain_maps(anatomy)
    x = np.abs(anatomy.lattice.axes[0])
    deep = np.clip(where.under_surface / (4 + 0.9 * radius) - 0.5, 0, 0.5) * (x > 14)
    point = draw_point(
        np.where(where.cerebral & (where.from_ventricle > 0.5 * radius), deep * anatomy.white**2, 0),
        anatomy.lattice,
        rng,
    )
    return np.array([30.0, -15.0, 25.0]) if point is None else point


def _draw_shapes(
    displaced: Displacement, plan: Plan, centre: NDArray[np.float64], rng: np.random.Generator
) -> tuple[Growth, Growth]:
    """Core, and core with oedema, whose fingers follow white matter and spare the cortex; all in one hemisphere."""
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
    anatomy: TissueMaps, plan: Plan, core: Growth, whole: Growth, rng: np.random.Generator
) -> tuple[tuple[Layer, ...], NDArray[np.uint8]]:
    """Layers in painting order (oedema, core, necrosis), and the map of regions."""
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


def _inside(anatomy: TissueMaps, core: Growth, volume_ml: float, rng: np.random.Generator) -> Growth:
    """The deepest part of the core with an uneven border, which leaves a rim of varying thickness."""
    lattice = anatomy.lattice
    depth = scipy.ndimage.distance_transform_edt(core.lesion_mask, sampling=lattice.spacing)
    depth = depth + 1.5 * smooth_field(rng, lattice, 8) * (depth > 0)
    return grow(depth.astype(np.float32), core.lesion_mask, anatomy.csf, voxel_count(volume_ml, lattice))


def _place(anatomy: TissueMaps, centre: NDArray[np.float64]) -> str:
    """The lobe, by where the Sylvian fissure and the central sulcus are in MNI space."""
    x, y, z = centre
    side = "left" if x < 0 else "right"
    if z < 2 and y > -45 and abs(x) > 28:
        return f"{side} temporal"
    if y < -62:
        return f"{side} occipital"
    return f"{side} frontal" if y > -22 + 0.1 * z else f"{side} parietal"


def _ages(index: int) -> Ages:
    """Low grades occur twenty years earlier."""
    return Ages(42, 12, 18, 75, 0.43) if index % 3 == 1 else Ages(62, 11, 30, 85, 0.42)


def displace(anatomy: TissueMaps, centre: NDArray[np.float64], radius: float, grown: float) -> Displacement:
    """Displace the brain by a ball of `radius` mm around `centre`, of which the share `grown` is new volume.

    The other share of the ball is its seed, and no fluid stays inside. Around it tissue moves radially: the new volume
    is absorbed gradually within `REACH_MM`, so that a shell at distance r comes from
    `cbrt(r^3 - grown radius^3 (1 - s)^2)`, where s is 0 at the ball and 1 at the reach. The brain's outline is fixed.
    Where tissue is compressed fluid gives way first, as in effaced sulci and ventricles.

    References:
        Clatz et al. 2005, doi:10.1109/TMI.2005.857217, on the size and reach of the displacement.
    """
    x, y, z = offsets(centre, anatomy.lattice)
    distance = np.maximum(np.sqrt(x**2 + y**2 + z**2), 1e-3)
    left = (1 - np.clip((distance - radius) / REACH_MM, 0, 1)) ** 2
    outside = np.cbrt(np.maximum(distance**3 - grown * radius**3 * left, 0))
    origin = np.where(distance < radius, distance * np.cbrt(1 - grown), outside)
    held = _held(anatomy)
    moved = (distance - origin) * held
    vectors = np.stack([moved * offset / distance for offset in (x, y, z)]).astype(np.float32)
    filled = held * np.clip(0.5 + (radius - distance) / SOFT_MM, 0, 1)
    return Displacement(_pushed(anatomy, vectors, filled.astype(np.float32)), vectors)


def _held(anatomy: TissueMaps) -> FloatArray:
    """`(X, Y, Z)`, 0 at the brain's surface and 1 deep below."""
    spacing = anatomy.lattice.spacing
    under_surface = scipy.ndimage.distance_transform_edt(anatomy.brain_mask, sampling=spacing)
    share = np.clip((under_surface - spacing) / HELD_MM, 0, 1)
    return np.asarray(share**2 * (3 - 2 * share), dtype=np.float32)


def _pushed(anatomy: TissueMaps, vectors: FloatArray, filled: FloatArray) -> TissueMaps:
    """Tissue moved by `vectors`, at least as much as `filled`, `(X, Y, Z)` in [0, 1]."""
    voxels = np.indices(anatomy.lattice.shape, dtype=np.float32) - vectors / anatomy.lattice.spacing
    still = ~vectors.any(axis=0)
    grey, white = (
        np.where(still, tissue, scipy.ndimage.map_coordinates(tissue, voxels, order=1, mode="nearest"))
        for tissue in (anatomy.grey, anatomy.white)
    )
    came = grey + white
    solid = np.where(still, came, np.minimum(came * np.maximum(_volume_ratio(vectors, anatomy.lattice), 1), 1))
    denser = solid / np.maximum(came, 1e-6)
    new = np.maximum(filled - solid, 0)
    grey, white = grey * denser + new, white * denser
    csf = np.where(anatomy.brain_mask, 1 - grey - white, 0).clip(0, 1)
    grey, white = (np.where(anatomy.brain_mask, tissue, 0) for tissue in (grey, white))
    return replace(anatomy, grey=grey, white=white, csf=csf)


def _volume_ratio(vectors: FloatArray, lattice: SamplingLattice) -> FloatArray:
    """Volume before over volume after displacement, `(X, Y, Z)`: the Jacobian of the backward map."""
    matrix = np.stack([np.stack(np.gradient(-vector, lattice.spacing)) for vector in vectors])  # (3, 3, X, Y, Z)
    for axis in range(3):
        matrix[axis, axis] += 1
    a, b, c = matrix[0], matrix[1], matrix[2]
    return np.asarray((a * np.cross(b, c, axis=0)).sum(axis=0), dtype=np.float32)


GLIOMA = Family(
    title="Phantom, glioma",
    prefix="glioma",
    stream=2,
    ages=_ages,
    draw=draw_glioma,
    reference="Menze et al. 2015, doi:10.1109/TMI.2014.2377694; Clatz et al. 2005, doi:10.1109/TMI.2005.857217",
    regions=REGIONS,
)

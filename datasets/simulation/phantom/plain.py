"""The plain phantom: blobs of known volume and contrast in and around white matter."""

import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.simulation.phantom.anatomy import RELAXATION, TissueMaps
from datasets.simulation.phantom.family import Family, LesionedBrain
from datasets.simulation.phantom.growth import Growth, grow, offsets, radius_mm, spread, voxel_count
from datasets.simulation.phantom.lattice import BOX_MM, CENTRE_MM, smooth_field
from datasets.simulation.phantom.lesions import Layer, LesionDraft, combine_lesions

SMALLEST_ML, LARGEST_ML = 0.5, 40.0
SHALLOWEST_MM = 10.0  # of a lesion's centre under the brain's surface
LOWEST_MM = -25.0  # z of a lesion's centre: above brain stem and cerebellum


def draw_plain(anatomy: TissueMaps, index: int, rng: np.random.Generator) -> LesionedBrain:
    """One to three lesions in and around white matter, largest first.

    They displace nothing and spare the CSF of a voxel.

    Args:
        index: of the case among the lesion cases; spreads the volumes.
    """
    tissue = RELAXATION["lesion"]
    taken = np.zeros(anatomy.lattice.shape, dtype=bool)
    drawn: list[LesionDraft] = []
    for volume_ml in draw_volumes(index, rng):
        blob = _draw_lesion(anatomy, taken, volume_ml, rng)
        contrast = float(rng.uniform(0.6, 1.0))
        drawn.append(LesionDraft((Layer(tissue, contrast * blob.share),), blob.lesion_mask, contrast, "white matter"))
        taken = taken | blob.lesion_mask
    return LesionedBrain(anatomy, combine_lesions(anatomy.lattice, drawn, [tissue]))


def draw_volumes(index: int, rng: np.random.Generator) -> list[float]:
    """Volumes in ml of a case's one to three lesions, the largest first.

    Their sum is spread log-uniformly from `SMALLEST_ML` to `LARGEST_ML`.
    """
    total = spread(index, rng, SMALLEST_ML, LARGEST_ML)
    count = min(int(rng.integers(1, 4)), int(total / SMALLEST_ML))
    shares = rng.dirichlet(np.full(count, 2.0))
    return sorted((SMALLEST_ML + (total - count * SMALLEST_ML) * shares).tolist(), reverse=True)


def _draw_lesion(anatomy: TissueMaps, taken: NDArray[np.bool_], volume_ml: float, rng: np.random.Generator) -> Growth:
    """A ball roughened by a smooth field, away from lesions drawn before."""
    lattice = anatomy.lattice
    free = anatomy.brain_mask & ~scipy.ndimage.binary_dilation(taken, iterations=3)
    radius = radius_mm(volume_ml)
    x, y, z = offsets(_draw_centre(anatomy, free, rng), lattice)
    roughness = 0.4 * radius * smooth_field(rng, lattice, max(0.8 * radius, 4.0))
    return grow(roughness - np.sqrt(x**2 + y**2 + z**2), free, anatomy.csf, voxel_count(volume_ml, lattice))


def _draw_centre(anatomy: TissueMaps, free: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """A point in mm in deep white matter: the first of many that fits, or else the best."""
    lattice = anatomy.lattice
    points = rng.uniform(-0.5, 0.5, (1000, 3)) * BOX_MM + CENTRE_MM
    voxels = np.round((points - lattice.affine[:3, 3]) / lattice.spacing).astype(int)
    at = tuple(np.clip(voxels, 0, np.asarray(lattice.shape) - 1).T)
    under_surface = scipy.ndimage.distance_transform_edt(free, sampling=lattice.spacing)[at]
    fit = anatomy.white[at] * np.minimum(under_surface / SHALLOWEST_MM, 1) * (points[:, 2] > LOWEST_MM)
    fits = fit > 0.6
    return np.asarray(points[np.argmax(fits) if fits.any() else np.argmax(fit)])


PLAIN = Family(
    title="Phantom",
    prefix="lesion",
    stream=0,
    ages=None,
    draw=draw_plain,
    reference="Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033",
    regions={},
    cases=8,
)

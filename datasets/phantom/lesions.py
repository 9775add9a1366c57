"""Lesions of known volume and contrast, placed in the tissue of an anatomy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.phantom.anatomy import Anatomy
from datasets.phantom.components import largest_component
from datasets.phantom.lattice import BOX_MM, CENTRE_MM, Volume, smooth_field

SMALLEST_ML, LARGEST_ML = 0.5, 40.0
GOLDEN = 0.6180339887498949
EDGE_MM = 1.5  # over which a lesion fades
SHALLOWEST_MM = 10.0  # of a lesion's centre under the brain's surface
LOWEST_MM = -25.0  # z of a lesion's centre: above brain stem and cerebellum


@dataclass(frozen=True)
class Lesion:
    """What is known of one lesion.

    Attributes:
        volume_ml: of its part of the lesion mask.
        contrast: share of grey and white matter that it replaces at its core, in (0, 1].
        centre: centre of mass in mm (RAS+).
    """

    volume_ml: float
    contrast: float
    centre: tuple[float, float, float]


@dataclass(frozen=True)
class Lesions:
    """All lesions of a case.

    Attributes:
        replaced: `(X, Y, Z)` in [0, 1], how far they replace what is grey or white in a voxel.
        lesion_mask: `(X, Y, Z)` bool, where they fill more than half of a voxel; each is one
            26-connected part of it.
    """

    table: tuple[Lesion, ...]
    replaced: Volume
    lesion_mask: NDArray[np.bool_]


def no_lesions(anatomy: Anatomy) -> Lesions:
    shape = anatomy.lattice.shape
    return Lesions((), np.zeros(shape, dtype=np.float32), np.zeros(shape, dtype=bool))


def draw_lesions(anatomy: Anatomy, index: int, rng: np.random.Generator) -> Lesions:
    """One to three lesions in and about the white matter, the largest first.

    They displace nothing, and leave alone what is CSF in a voxel.

    Args:
        index: of the case among the lesion cases; spreads the volumes.
    """
    drawn = no_lesions(anatomy)
    for volume_ml in draw_volumes(index, rng):
        share, own_mask = _draw_lesion(anatomy, drawn.lesion_mask, volume_ml, rng)
        contrast = float(rng.uniform(0.6, 1.0))
        drawn = Lesions(
            (*drawn.table, _describe(own_mask, contrast, anatomy)),
            np.maximum(drawn.replaced, contrast * share),
            drawn.lesion_mask | own_mask,
        )
    return drawn


def draw_volumes(index: int, rng: np.random.Generator) -> list[float]:
    """Volumes in ml of a case's one to three lesions, the largest first.

    Their sum is spread log-uniformly from `SMALLEST_ML` to `LARGEST_ML`: it follows the golden-ratio
    sequence over the cases, so that few of them cover small and large.
    """
    place = np.clip((0.5 + GOLDEN * index) % 1 + rng.uniform(-0.05, 0.05), 0, 1)
    total = SMALLEST_ML * (LARGEST_ML / SMALLEST_ML) ** place
    count = min(int(rng.integers(1, 4)), int(total / SMALLEST_ML))
    shares = rng.dirichlet(np.full(count, 2.0))
    return sorted((SMALLEST_ML + (total - count * SMALLEST_ML) * shares).tolist(), reverse=True)


def _draw_lesion(
    anatomy: Anatomy, taken: NDArray[np.bool_], volume_ml: float, rng: np.random.Generator
) -> tuple[Volume, NDArray[np.bool_]]:
    """A soft-edged blob's share of every voxel's tissue, `(X, Y, Z)` in [0, 1], and its mask.

    A ball that a smooth field roughens, as large as makes the mask about `volume_ml`: parts that
    hang together with the rest by nothing are left out, and so are those next to another lesion.
    """
    lattice = anatomy.lattice
    free = anatomy.brain_mask & ~ndimage.binary_dilation(taken, iterations=3)
    radius = (volume_ml * 1000 * 3 / 4 / np.pi) ** (1 / 3)
    centre = _draw_centre(anatomy, free, rng)
    x, y, z = (axis - middle for axis, middle in zip(lattice.axes, centre, strict=True))
    roughness = 0.4 * radius * smooth_field(rng, lattice, max(0.8 * radius, 4.0))
    depth = np.where(free & (anatomy.csf < 0.5), roughness - np.sqrt(x**2 + y**2 + z**2), -np.inf)
    half_full = depth - EDGE_MM * anatomy.csf / (1 - anatomy.csf.clip(0, 0.5))  # > level: it fills half of a voxel

    voxels = max(1, round(volume_ml / lattice.voxel_ml))
    level = np.sort(half_full, axis=None)[-voxels - 1 :][:2].mean()  # between the last inside and the first outside
    filled = half_full > level
    own_mask = largest_component(filled)
    near = ndimage.binary_dilation(own_mask, iterations=2) & ~(filled & ~own_mask)
    share = np.clip(0.5 + (depth - level) / (2 * EDGE_MM), 0, 1)
    return np.where(near, share, 0).astype(np.float32), own_mask


def _draw_centre(anatomy: Anatomy, free: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float64]:
    """A point in mm in deep white matter: the first that fits of many, or the one that comes closest."""
    lattice = anatomy.lattice
    points = rng.uniform(-0.5, 0.5, (1000, 3)) * BOX_MM + CENTRE_MM
    voxels = np.round((points - lattice.affine[:3, 3]) / lattice.spacing).astype(int)
    at = tuple(np.clip(voxels, 0, np.asarray(lattice.shape) - 1).T)
    under_surface = ndimage.distance_transform_edt(free, sampling=lattice.spacing)[at]
    fit = anatomy.white[at] * np.minimum(under_surface / SHALLOWEST_MM, 1) * (points[:, 2] > LOWEST_MM)
    fits = fit > 0.6
    return np.asarray(points[np.argmax(fits) if fits.any() else np.argmax(fit)])


def _describe(own_mask: NDArray[np.bool_], contrast: float, anatomy: Anatomy) -> Lesion:
    affine = anatomy.lattice.affine
    x, y, z = affine[:3, :3] @ np.argwhere(own_mask).mean(axis=0) + affine[:3, 3]
    volume_ml = np.count_nonzero(own_mask) * anatomy.lattice.voxel_ml
    return Lesion(float(volume_ml), contrast, (float(x), float(y), float(z)))

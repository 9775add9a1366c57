"""Places: distances and directions within a brain by which diseases choose where to be."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.simulation.phantom.anatomy import Anatomy
from datasets.simulation.phantom.lattice import Lattice, Volume

VENTRICLE_DEPTH_MM = 24.0  # CSF as deep as that under the surface is a ventricle's
TENTORIUM_MM = -8.0  # z of its top, at y = -45 mm; it slopes down backwards and sideways
TENTORIUM_MARGIN_MM = 4.0  # on which neither side claims a lesion


@dataclass(frozen=True)
class Places:
    """Maps `(X, Y, Z)` of one brain.

    Attributes:
        under_surface: depth under the brain's surface in mm.
        from_ventricle: distance to the lateral ventricles in mm.
        infratentorial, cerebral: where cerebellum and brain stem, and where the cerebrum lies.
    """

    lattice: Lattice
    under_surface: Volume
    from_ventricle: Volume
    infratentorial: NDArray[np.bool_]
    cerebral: NDArray[np.bool_]

    def away_from_ventricle(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit vector at a point in mm."""
        voxel = np.round((at - self.lattice.affine[:3, 3]) / self.lattice.spacing).astype(int)
        around = tuple(slice(max(i - 2, 0), i + 3) for i in voxel)
        slopes = np.array([slope.mean() for slope in np.gradient(self.from_ventricle[around])])
        return np.asarray(slopes / max(np.linalg.norm(slopes), 1e-6))


def places(anatomy: Anatomy) -> Places:
    lattice = anatomy.lattice
    x, y, z = lattice.axes
    under_surface = ndimage.distance_transform_edt(anatomy.brain_mask, sampling=lattice.spacing).astype("f4")
    from_ventricle = ndimage.distance_transform_edt(~_ventricles(anatomy, under_surface), sampling=lattice.spacing)
    stem = (np.abs(x) < 18) & (y > -45) & (y < -10) & (z < -8)
    cerebellum = (y < -38) & (z < TENTORIUM_MM + 0.25 * (y + 45) - 0.2 * np.abs(x))
    infratentorial = anatomy.brain_mask & (stem | cerebellum)
    margin = max(1, round(TENTORIUM_MARGIN_MM / lattice.spacing))
    cerebral = anatomy.brain_mask & ~ndimage.binary_dilation(infratentorial, iterations=margin)
    return Places(lattice, under_surface, from_ventricle.astype("f4"), infratentorial, cerebral)


def _ventricles(anatomy: Anatomy, under_surface: Volume) -> NDArray[np.bool_]:
    """The lateral ventricles: fluid deep inside, off the midline and the cisterns about the brain stem."""
    x, y, z = anatomy.lattice.axes
    lateral = (np.abs(x) > 3) & (np.abs(x) < 45) & (np.abs(y + 20) < 65) & (z > -12) & (z < 40)
    cisterns = (np.abs(x) < 18) & (y < -22) & (z < 9)
    inside = anatomy.brain_mask & lateral & ~cisterns & (under_surface > VENTRICLE_DEPTH_MM)
    fluid = inside & (anatomy.csf > 0.5)
    return fluid if fluid.any() else inside & (anatomy.csf >= anatomy.csf[inside].max())


def choose(weights: Volume, lattice: Lattice, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """A point in mm, in a voxel drawn by `weights`, `(X, Y, Z)`; None where all are 0."""
    cumulative = np.cumsum(weights.ravel(), dtype=np.float64)
    if cumulative[-1] <= 0:
        return None
    voxel = np.unravel_index(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"), weights.shape)
    jittered = np.array(voxel) + rng.uniform(-0.5, 0.5, 3)
    return np.asarray(lattice.affine[:3, :3] @ jittered + lattice.affine[:3, 3])

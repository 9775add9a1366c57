"""One simulated head: tissue maps drawn from the MNI152 templates, landmarks, and MR properties of tissues."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import scipy
from numpy.typing import NDArray

from datasets.simulation.phantom.lattice import CENTRE_MM, FloatArray, SamplingLattice, largest_component, smooth_field

BRAIN_ON_T1 = 0.1  # of the template's maximum
GREY_ON_T1, CSF_ON_T1 = 0.66, 0.22
CSF_ODDS = (1.3, 0.4)  # log odds of CSF relative to the template: mean and standard deviation over adults
HEAD_SIZE = 0.94  # the template's brain has 1.88 l; 1.5 l is usual
VENTRICLE_DEPTH_MM = 24.0  # deeper CSF belongs to a ventricle
TENTORIUM_MM = -8.0  # z of its top, at y = -45 mm; it slopes down backwards and sideways
TENTORIUM_MARGIN_MM = 4.0  # without lesions of either side


@dataclass(frozen=True)
class Relaxation:
    """Proton density (1 = water) and relaxation times in ms at 3 T."""

    density: float
    t1: float
    t2: float


Tissue = Literal["grey", "white", "csf", "lesion"]
RELAXATION: Mapping[Tissue, Relaxation] = {
    "grey": Relaxation(0.82, 1331, 110),
    "white": Relaxation(0.70, 832, 80),
    "csf": Relaxation(1.00, 4000, 1500),
    "lesion": Relaxation(0.92, 1700, 170),
}


@dataclass(frozen=True)
class TissueTemplate:
    """Tissue maps of the MNI152 average brain.

    Attributes:
        tissues: `(3, X, Y, Z)`, grey, white and CSF; they sum to 1 inside the brain, to 0 outside.
        to_voxel: `(4, 4)`, mm to voxel index; no rotation.
    """

    tissues: FloatArray
    to_voxel: NDArray[np.float64]


@dataclass(frozen=True)
class TissueMaps:
    """Tissue shares of every voxel, `(X, Y, Z)`; they sum to 1 inside the brain and to 0 outside.

    Attributes:
        brain_mask: `(X, Y, Z)` bool.
        atrophy: width of sulci and ventricles, in standard deviations from the mean adult.
    """

    grey: FloatArray
    white: FloatArray
    csf: FloatArray
    brain_mask: NDArray[np.bool_]
    lattice: SamplingLattice
    atrophy: float = 0.0


@dataclass(frozen=True)
class BrainMaps:
    """Maps `(X, Y, Z)` of one brain by which diseases choose their sites.

    Attributes:
        under_surface: depth under the brain's surface in mm.
        from_ventricle: distance to the lateral ventricles in mm.
        infratentorial, cerebral: cerebellum and brain stem; cerebrum.
    """

    lattice: SamplingLattice
    under_surface: FloatArray
    from_ventricle: FloatArray
    infratentorial: NDArray[np.bool_]
    cerebral: NDArray[np.bool_]

    def away_from_ventricle(self, at: NDArray[np.float64]) -> NDArray[np.float64]:
        """Unit vector away from the ventricles at a point in mm."""
        voxel = np.round((at - self.lattice.affine[:3, 3]) / self.lattice.spacing).astype(int)
        around = tuple(slice(max(i - 2, 0), i + 3) for i in voxel)
        slopes = np.array([slope.mean() for slope in np.gradient(self.from_ventricle[around])])
        return np.asarray(slopes / max(np.linalg.norm(slopes), 1e-6))


def draw_anatomy(lattice: SamplingLattice, rng: np.random.Generator, *, atrophy: float | None = None) -> TissueMaps:
    """Draw one subject: the template deformed, with tissue borders of its own.

    An average brain's maps give the frequency of a tissue in a voxel. Sharpened (squared) and with odds shifted by
    smooth random fields they become one brain with individual widths of sulci, cortex and ventricles.

    Args:
        atrophy: drawn if None; everything else is the same either way.
    """
    maps = _sample(load_tissue_template(lattice.spacing), _deformed_points(lattice, rng))
    brain_mask = largest_component(maps.sum(axis=0) > 0.5)
    white_odds = rng.normal(0, 0.2) + 0.3 * smooth_field(rng, lattice, 24) + 0.5 * smooth_field(rng, lattice, 7)
    csf_level = rng.normal(*CSF_ODDS)
    if atrophy is not None:
        csf_level = CSF_ODDS[0] + CSF_ODDS[1] * atrophy
    csf_odds = csf_level + 0.5 * smooth_field(rng, lattice, 24) + 0.7 * smooth_field(rng, lattice, 7)
    shares = maps**2 * brain_mask
    shares[1] *= np.exp(white_odds)
    shares[2] *= np.exp(csf_odds)
    grey, white, csf = shares / np.maximum(shares.sum(axis=0), 1e-9)
    return TissueMaps(grey, white, csf, brain_mask, lattice, (csf_level - CSF_ODDS[0]) / CSF_ODDS[1])


def brain_maps(anatomy: TissueMaps) -> BrainMaps:
    lattice = anatomy.lattice
    x, y, z = lattice.axes
    under_surface = scipy.ndimage.distance_transform_edt(anatomy.brain_mask, sampling=lattice.spacing).astype("f4")
    from_ventricle = scipy.ndimage.distance_transform_edt(
        ~_ventricles(anatomy, under_surface), sampling=lattice.spacing
    )
    stem = (np.abs(x) < 18) & (y > -45) & (y < -10) & (z < -8)
    cerebellum = (y < -38) & (z < TENTORIUM_MM + 0.25 * (y + 45) - 0.2 * np.abs(x))
    infratentorial = anatomy.brain_mask & (stem | cerebellum)
    margin = max(1, round(TENTORIUM_MARGIN_MM / lattice.spacing))
    cerebral = anatomy.brain_mask & ~scipy.ndimage.binary_dilation(infratentorial, iterations=margin)
    return BrainMaps(lattice, under_surface, from_ventricle.astype("f4"), infratentorial, cerebral)


def draw_point(weights: FloatArray, lattice: SamplingLattice, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """A random point in mm, its voxel drawn with `weights`, `(X, Y, Z)`; None if all weights are 0."""
    cumulative = np.cumsum(weights.ravel(), dtype=np.float64)
    if cumulative[-1] <= 0:
        return None
    voxel = np.unravel_index(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"), weights.shape)
    jittered = np.array(voxel) + rng.uniform(-0.5, 0.5, 3)
    return np.asarray(lattice.affine[:3, :3] @ jittered + lattice.affine[:3, 3])


@lru_cache(maxsize=1)
def load_tissue_template(spacing: float) -> TissueTemplate:
    """The MNI152 average brain from nilearn, smoothed for voxels of `spacing` mm.

    The average's own tissue maps do not resolve sulci: there the T1 average gives the share of CSF.

    References:
        Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033.
    """
    from nilearn import datasets as templates  # slow to import

    image = templates.load_mni152_template(resolution=1)
    t1 = np.asarray(image.dataobj, dtype=np.float32)
    grey = np.asarray(templates.load_mni152_gm_template(resolution=1).dataobj, dtype=np.float32)
    white = np.asarray(templates.load_mni152_wm_template(resolution=1).dataobj, dtype=np.float32)
    brain = scipy.ndimage.binary_erosion(largest_component(scipy.ndimage.binary_fill_holes(t1 > BRAIN_ON_T1)))
    csf = np.maximum(1 - grey - white, (GREY_ON_T1 - t1) / (GREY_ON_T1 - CSF_ON_T1)).clip(0, 1)
    solid = brain * (1 - csf) / np.maximum(grey + white, 1e-6)
    maps = (grey * solid, white * solid, brain * csf)
    return TissueTemplate(
        np.stack([scipy.ndimage.gaussian_filter(tissue, 0.3 * spacing) for tissue in maps]), np.linalg.inv(image.affine)
    )


def _deformed_points(lattice: SamplingLattice, rng: np.random.Generator) -> FloatArray:
    """The point of the template, `(3, X, Y, Z)` in mm, from which each voxel's tissue comes.

    An affine map varies size, proportions and posture by as little as registration leaves; displacements of a few
    millimetres vary gyri.
    """
    sizes = HEAD_SIZE * np.exp(rng.normal(0, 0.005) + rng.normal(0, 0.01, 3))
    posture = scipy.spatial.transform.Rotation.from_rotvec(rng.normal(0, 0.015, 3)).as_matrix() / sizes[:, None]
    x, y, z = (axis - middle for axis, middle in zip(lattice.axes, CENTRE_MM, strict=True))
    points = np.empty((3, *lattice.shape), dtype=np.float32)
    for axis, (row, middle) in enumerate(zip(posture.astype(np.float32), CENTRE_MM, strict=True)):
        displacement = 1.8 * smooth_field(rng, lattice, 35) + smooth_field(rng, lattice, 14)
        points[axis] = middle + row[0] * x + row[1] * y + row[2] * z + displacement
    return points


def _sample(template: TissueTemplate, points: FloatArray) -> FloatArray:
    """The tissue maps at `points` in mm, `(3, X, Y, Z)`; 0 beyond the template."""
    scale, shift = np.diag(template.to_voxel)[:3], template.to_voxel[:3, 3]
    voxels = points * scale.astype("f4")[:, None, None, None] + shift.astype("f4")[:, None, None, None]
    return np.stack([scipy.ndimage.map_coordinates(tissue, voxels, order=1) for tissue in template.tissues])


def _ventricles(anatomy: TissueMaps, under_surface: FloatArray) -> NDArray[np.bool_]:
    """The lateral ventricles: deep fluid away from the midline and the cisterns around the brain stem."""
    x, y, z = anatomy.lattice.axes
    lateral = (np.abs(x) > 3) & (np.abs(x) < 45) & (np.abs(y + 20) < 65) & (z > -12) & (z < 40)
    cisterns = (np.abs(x) < 18) & (y < -22) & (z < 9)
    inside = anatomy.brain_mask & lateral & ~cisterns & (under_surface > VENTRICLE_DEPTH_MM)
    fluid = inside & (anatomy.csf > 0.5)
    return fluid if fluid.any() else inside & (anatomy.csf >= anatomy.csf[inside].max())

"""Anatomy (which tissue lies where in one simulated head), drawn from the MNI152 tissue maps."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from datasets.simulation.phantom.components import largest_component
from datasets.simulation.phantom.lattice import CENTRE_MM, Lattice, Volume, smooth_field

BRAIN_ON_T1 = 0.1  # of the template's maximum
GREY_ON_T1, CSF_ON_T1 = 0.66, 0.22
CSF_ODDS = (1.3, 0.4)  # log odds of CSF over what the template says: mean and standard deviation over adults
HEAD_SIZE = 0.94  # the template's brain has 1.88 l where 1.5 l is usual


@dataclass(frozen=True)
class Template:
    """Tissue maps of the MNI152 average brain.

    Attributes:
        tissues: `(3, X, Y, Z)`, grey, white and CSF; they sum to 1 inside the brain, to 0 outside.
        to_voxel: `(4, 4)`, mm to voxel index; no rotation.
    """

    tissues: Volume
    to_voxel: NDArray[np.float64]


@dataclass(frozen=True)
class Anatomy:
    """Tissue shares of every voxel, `(X, Y, Z)`; they sum to 1 inside the brain and to 0 outside.

    Attributes:
        brain_mask: `(X, Y, Z)` bool.
        atrophy: how wide sulci and ventricles are, in standard deviations about the mean adult.
    """

    grey: Volume
    white: Volume
    csf: Volume
    brain_mask: NDArray[np.bool_]
    lattice: Lattice
    atrophy: float = 0.0


@lru_cache(maxsize=1)
def load_template(spacing: float) -> Template:
    """The MNI152 average brain that nilearn ships, smoothed for voxels of `spacing` mm.

    Sulci are too narrow for the average's own maps: there the T1 average tells how much CSF there is.

    References:
        Fonov et al. 2011, doi:10.1016/j.neuroimage.2010.07.033.
    """
    from nilearn import datasets as templates  # slow to import

    image = templates.load_mni152_template(resolution=1)
    t1 = np.asarray(image.dataobj, dtype=np.float32)
    grey = np.asarray(templates.load_mni152_gm_template(resolution=1).dataobj, dtype=np.float32)
    white = np.asarray(templates.load_mni152_wm_template(resolution=1).dataobj, dtype=np.float32)
    brain = ndimage.binary_erosion(largest_component(ndimage.binary_fill_holes(t1 > BRAIN_ON_T1)))
    csf = np.maximum(1 - grey - white, (GREY_ON_T1 - t1) / (GREY_ON_T1 - CSF_ON_T1)).clip(0, 1)
    solid = brain * (1 - csf) / np.maximum(grey + white, 1e-6)
    maps = (grey * solid, white * solid, brain * csf)
    return Template(
        np.stack([ndimage.gaussian_filter(tissue, 0.3 * spacing) for tissue in maps]), np.linalg.inv(image.affine)
    )


def draw_anatomy(lattice: Lattice, rng: np.random.Generator, *, atrophy: float | None = None) -> Anatomy:
    """One subject: the template deformed, and its blurred tissue borders decided anew.

    An average brain's maps say how often a tissue lies in a voxel. Sharpened (squared) and with odds
    shifted by smooth random fields they become one brain, whose sulci, cortex and ventricles have a
    width of their own.

    Args:
        atrophy: None draws it too; given or not, all else is the same.
    """
    maps = _sample(load_template(lattice.spacing), _deformed_points(lattice, rng))
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
    return Anatomy(grey, white, csf, brain_mask, lattice, (csf_level - CSF_ODDS[0]) / CSF_ODDS[1])


def _deformed_points(lattice: Lattice, rng: np.random.Generator) -> Volume:
    """Where in the template, `(3, X, Y, Z)` in mm, each voxel's tissue comes from.

    Size, proportions and posture by an affine map, as little as registration leaves of them; then gyri
    by displacements of some millimetres.
    """
    sizes = HEAD_SIZE * np.exp(rng.normal(0, 0.005) + rng.normal(0, 0.01, 3))
    posture = Rotation.from_rotvec(rng.normal(0, 0.015, 3)).as_matrix() / sizes[:, None]
    x, y, z = (axis - middle for axis, middle in zip(lattice.axes, CENTRE_MM, strict=True))
    points = np.empty((3, *lattice.shape), dtype=np.float32)
    for axis, (row, middle) in enumerate(zip(posture.astype(np.float32), CENTRE_MM, strict=True)):
        displacement = 1.8 * smooth_field(rng, lattice, 35) + smooth_field(rng, lattice, 14)
        points[axis] = middle + row[0] * x + row[1] * y + row[2] * z + displacement
    return points


def _sample(template: Template, points: Volume) -> Volume:
    """The tissue maps at `points` in mm, `(3, X, Y, Z)`; 0 beyond the template."""
    scale, shift = np.diag(template.to_voxel)[:3], template.to_voxel[:3, 3]
    voxels = points * scale.astype("f4")[:, None, None, None] + shift.astype("f4")[:, None, None, None]
    return np.stack([ndimage.map_coordinates(tissue, voxels, order=1) for tissue in template.tissues])

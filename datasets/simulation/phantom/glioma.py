"""Mass effect: what grows within the skull pushes the rest aside."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.simulation.phantom.anatomy import Anatomy
from datasets.simulation.phantom.growth import offsets
from datasets.simulation.phantom.lattice import Lattice, Volume

REACH_MM = 65.0  # beyond the mass, where nothing moves any more
SOFT_MM = 4.0  # over which fluid fades at the mass
HELD_MM = 18.0  # under the brain's surface, over which the skull holds what is pushed


@dataclass(frozen=True)
class Displaced:
    """An anatomy after the push, and what came to each voxel from where.

    Attributes:
        vectors: `(3, X, Y, Z)` in mm, how far the content of a voxel has come.
    """

    anatomy: Anatomy
    vectors: Volume

    @property
    def moved_mm(self) -> Volume:
        return np.asarray(np.sqrt((self.vectors**2).sum(axis=0)), dtype=np.float32)


def displace(anatomy: Anatomy, centre: NDArray[np.float64], radius: float, grown: float) -> Displaced:
    """A ball of `radius` mm about `centre`, of which the share `grown` is new, pushes the brain aside.

    What lay in the ball's other share is its seed, and no fluid stays inside. Around it tissue moves
    radially: all volume that has come is taken up by degrees within `REACH_MM`, so that a shell at distance r
    comes from `cbrt(r^3 - grown radius^3 (1 - s)^2)`, s being 0 at the ball and 1 at the reach. The brain's
    outline is held. Where tissue is squeezed fluid gives way first, as in effaced sulci and ventricles.

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
    return Displaced(_pushed(anatomy, vectors, filled.astype(np.float32)), vectors)


def _held(anatomy: Anatomy) -> Volume:
    """`(X, Y, Z)`, 0 at the brain's surface and 1 deep below."""
    spacing = anatomy.lattice.spacing
    under_surface = ndimage.distance_transform_edt(anatomy.brain_mask, sampling=spacing)
    share = np.clip((under_surface - spacing) / HELD_MM, 0, 1)
    return np.asarray(share**2 * (3 - 2 * share), dtype=np.float32)


def _pushed(anatomy: Anatomy, vectors: Volume, filled: Volume) -> Anatomy:
    """Tissue from `vectors` before each voxel, no less of it than `filled`, `(X, Y, Z)` in [0, 1]."""
    voxels = np.indices(anatomy.lattice.shape, dtype=np.float32) - vectors / anatomy.lattice.spacing
    still = ~vectors.any(axis=0)
    grey, white = (
        np.where(still, tissue, ndimage.map_coordinates(tissue, voxels, order=1, mode="nearest"))
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


def _volume_ratio(vectors: Volume, lattice: Lattice) -> Volume:
    """Volume before over volume after the push, `(X, Y, Z)`: the Jacobian of where each voxel comes from."""
    matrix = np.stack([np.stack(np.gradient(-vector, lattice.spacing)) for vector in vectors])  # (3, 3, X, Y, Z)
    for axis in range(3):
        matrix[axis, axis] += 1
    a, b, c = matrix[0], matrix[1], matrix[2]
    return np.asarray((a * np.cross(b, c, axis=0)).sum(axis=0), dtype=np.float32)

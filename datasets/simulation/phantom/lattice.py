"""SamplingLattice, where the voxels of a simulated scan lie; smooth random fields on it; connected components."""

from dataclasses import dataclass

import numpy as np
import scipy
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
BOX_MM = (160.0, 192.0, 160.0)
CENTRE_MM = (0.0, -17.0, 5.0)
_SPREAD = 0.479**1.5  # sum of the squared spline weights, averaged over a knot interval, for three axes


@dataclass(frozen=True)
class SamplingLattice:
    """Voxel centres in a box around the centre of the MNI152 brain; RAS+.

    Attributes:
        spacing: voxel edge in mm, the same along every axis.
    """

    spacing: float

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, z = (int(np.ceil(length / self.spacing)) for length in BOX_MM)
        return x, y, z

    @property
    def voxel_ml(self) -> float:
        return self.spacing**3 / 1000

    @property
    def axes(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Voxel centres along x, y and z in mm, shaped to broadcast to `(X, Y, Z)`."""
        x, y, z = (
            (np.arange(count) - (count - 1) / 2) * self.spacing + centre
            for count, centre in zip(self.shape, CENTRE_MM, strict=True)
        )
        return x[:, None, None].astype("f4"), y[None, :, None].astype("f4"), z[None, None, :].astype("f4")

    @property
    def affine(self) -> NDArray[np.float64]:
        """`(4, 4)`, voxel index to mm."""
        affine = np.diag([self.spacing, self.spacing, self.spacing, 1.0])
        affine[:3, 3] = [float(axis.flat[0]) for axis in self.axes]
        return affine


def smooth_field(rng: np.random.Generator, lattice: SamplingLattice, knots_mm: float) -> FloatArray:
    """A random field `(X, Y, Z)` of mean 0 and standard deviation about 1, smooth over `knots_mm`.

    Cubic B-splines with normal coefficients `knots_mm` apart. The coefficients do not depend on the spacing: one seed
    gives one field at any resolution.
    """
    weights = [_spline_weights(axis.ravel(), knots_mm) for axis in lattice.axes]
    field = rng.standard_normal([matrix.shape[1] for matrix in weights], dtype=np.float32)
    for matrix in weights:
        # The contracted axis goes last: after three turns the order is restored.
        field = np.tensordot(field, matrix, axes=(0, 1))
    return np.asarray(field / _SPREAD, dtype=np.float32)


def _spline_weights(positions: FloatArray, knots_mm: float) -> FloatArray:
    """`(P, K)` weights of the knots at every position; K covers the largest box, whatever the spacing."""
    reach = np.ceil(max(BOX_MM) / 2 / knots_mm) + 3
    knots = np.arange(-reach, reach + 1)
    distance = np.abs((positions - positions.mean())[:, None] / knots_mm - knots[None])
    near = 2 / 3 - distance**2 + distance**3 / 2
    far = (2 - distance) ** 3 / 6
    return np.where(distance < 1, near, np.where(distance < 2, far, 0)).astype(np.float32)


def largest_component(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The 26-connected component of `mask`, `(X, Y, Z)`, with the most voxels; `mask` must not be empty."""
    labels, _ = scipy.ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return np.asarray(labels == 1 + np.argmax(np.bincount(labels.ravel())[1:]))

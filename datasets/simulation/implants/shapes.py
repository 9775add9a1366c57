"""Shape families: how deep every voxel lies in a lesion about a centre, in mm; its level sets are lesions."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Volume = NDArray[np.float32]
Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Around:
    """The voxels near a lesion's centre.

    Attributes:
        offset: `(3, X, Y, Z)` from the centre in mm.
        csf_mm: `(X, Y, Z)` distance to CSF.
        radius: of a ball of the lesion's volume, in mm.
        spacing: voxel edges in mm.
    """

    offset: Volume
    csf_mm: Volume
    radius: float
    spacing: tuple[float, float, float]

    @property
    def distance(self) -> Volume:
        """From the centre in mm."""
        return np.asarray(np.sqrt((self.offset**2).sum(axis=0)))


class Family(Protocol):
    """`(X, Y, Z)` depth in mm, rising by about 1 a mm towards the inside, its zero arbitrary."""

    def __call__(self, around: Around, rng: np.random.Generator) -> Volume: ...


def ellipsoid(around: Around, rng: np.random.Generator) -> Volume:
    axes = np.exp(rng.normal(0, 0.25, 3))
    turned = np.tensordot(rotation(rng) / (axes / np.cbrt(axes.prod()))[:, None], around.offset, axes=1)
    return np.asarray(-np.sqrt((turned**2).sum(axis=0)), dtype=np.float32)


def rough_ball(around: Around, rng: np.random.Generator) -> Volume:
    """A ball whose surface a smooth field moves by 0.35 radii (s.d.)."""
    field = smooth_field(rng, around.offset.shape[1:], around.spacing, max(0.5 * around.radius, 2.0))
    return np.asarray(0.35 * around.radius * field - around.distance, dtype=np.float32)


def cluster(around: Around, rng: np.random.Generator) -> Volume:
    """Three to six balls of unlike size."""
    count = int(rng.integers(3, 7))
    centres = rng.normal(0, 1.1 * around.radius, (count, 3))
    centres[0] = 0
    radii = around.radius / np.cbrt(count) * np.exp(rng.normal(0, 0.3, count))
    balls = [radius - _distance(around, centre) for radius, centre in zip(radii, centres, strict=True)]
    return np.asarray(np.max(balls, axis=0), dtype=np.float32)


def plate(around: Around, rng: np.random.Generator) -> Volume:
    """A sheet along the nearest CSF, be it a ventricle's or a sulcus's."""
    flatness = rng.uniform(1.0, 2.0)
    return np.asarray(-np.hypot(0.7 * around.distance, flatness * around.csf_mm), dtype=np.float32)


FAMILIES: Mapping[str, Family] = {"ellipsoid": ellipsoid, "rough": rough_ball, "cluster": cluster, "plate": plate}


def rotation(rng: np.random.Generator) -> Vector:
    """`(3, 3)`, uniform over all rotations: Q of a Gaussian matrix, its signs made unique."""
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    q = q * np.sign(np.diag(r))
    return np.asarray(q * np.sign(np.linalg.det(q)))


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, ...], spacing: tuple[float, float, float], width_mm: float
) -> Volume:
    """Gaussian noise `(X, Y, Z)` of mean 0 and s.d. 1, smoothed by `width_mm` (s.d.)."""
    noise = rng.standard_normal(shape, dtype=np.float32)
    smooth = ndimage.gaussian_filter(noise, [width_mm / edge for edge in spacing], mode="wrap")
    return np.asarray((smooth - smooth.mean()) / max(float(smooth.std()), 1e-6), dtype=np.float32)


def _distance(around: Around, centre: Vector) -> Volume:
    moved = around.offset - centre[:, None, None, None].astype(np.float32)
    return np.asarray(np.sqrt((moved**2).sum(axis=0)))

"""Lesions added to an image, and the control `add_seam`, which transplants the host's own tissue."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.simulation.implants.design import Texture
from datasets.simulation.implants.placement import LesionPlacement
from datasets.simulation.implants.shapes import smooth_noise
from datasets.simulation.implants.tissue import FloatArray, Mask, Tissues

COARSE_MM = 6.0  # s.d.; wider structure is the local level, finer structure is texture
DEEPER = 1.6  # difference between a lesion's strength at its deepest and at its border, in units of its mean
PATCHY, PATCHY_MM = 0.4, 6.0  # s.d. of a lesion's strength in units of its mean, and the width of its patches
REMAINS = 0.5  # share of the host's structure visible through a lesion that replaces its tissue
TEXTURE_MM = (1.5, 4.0)  # widths of the finer and the coarser texture of a lesion that replaces tissue
COARSER = 0.9  # s.d. of the coarser texture, of 1 in all; the finer texture has the remaining variance
SOURCES = 200  # candidate places for a seam's patch


@dataclass(frozen=True)
class HostImage:
    """One image of a healthy head, `(X, Y, Z)`, and the measures that scale lesions in it.

    Attributes:
        coarse: local mean over the brain around every voxel.
        step: difference between grey and white matter, the unit of contrast.
        rough: s.d. of the texture of deep white matter.
    """

    image: FloatArray
    coarse: FloatArray
    step: float
    rough: float
    tissues: Tissues


def host_image(image: NDArray[Any], tissues: Tissues) -> HostImage:
    image = image.astype(np.float32)
    coarse = _local_mean(image, tissues.brain_mask, tissues.spacing)
    deep = ndimage.binary_erosion(tissues.white)
    inside = (image - coarse)[deep if deep.any() else tissues.white]
    return HostImage(image, coarse, tissues.step(image), float(inside.std()), tissues)


def add_lesion(host: HostImage, placed: LesionPlacement, *, contrast: float, texture: Texture, seed: int) -> FloatArray:
    """The image `(X, Y, Z)` with the lesion; bit-identical where the lesion's share is 0.

    `kept` adds to every voxel, so that noise, vessels and gyri show through. `replaced` brings tissue of one level with
    a texture as strong as that of white matter, through which `REMAINS` of the host's structure shows. Either way the
    mean over the voxels that the lesion fills changes by `contrast` grey-white steps, more at its depth and in
    patches; this deviation from a flat change is proportional to the contrast and vanishes with it.
    """
    rng = np.random.default_rng(seed)
    image, filled = host.image, placed.share >= min(0.95, float(placed.share.max()))
    change = contrast * host.step * _strength(placed, filled, host.tissues.spacing, rng)
    if texture == "kept":
        return np.asarray(image + placed.share * change, dtype=np.float32)
    level = float(image[filled].mean())
    own = level + REMAINS * (image - level) + _texture(host, rng)
    own += level - float(own[filled].mean()) + change
    return np.asarray(np.where(placed.share > 0, image + placed.share * (own - image), image), dtype=np.float32)


def _strength(
    placed: LesionPlacement, filled: Mask, spacing: tuple[float, float, float], rng: np.random.Generator
) -> FloatArray:
    """Relative strength `(X, Y, Z)`: at least 0.1, with mean 1 over the filled voxels."""
    depth = ndimage.distance_transform_edt(np.pad(placed.lesion_mask, 1), sampling=spacing)[1:-1, 1:-1, 1:-1]
    depth = depth / depth.max()
    patches = smooth_noise(rng, filled.shape, spacing, PATCHY_MM)
    strength = 1 + DEEPER * (depth - depth[filled].mean()) + PATCHY * patches
    strength = np.maximum(strength / strength[filled].mean(), 0.1)
    return np.asarray(strength / strength[filled].mean(), dtype=np.float32)


def add_seam(host: HostImage, placed: LesionPlacement, *, seed: int) -> FloatArray:
    """The image with tissue from elsewhere in the same brain at the lesion's place, blended in like a lesion.

    Of many candidate places, also mirrored, the one most similar to the covered tissue is used. Its level over
    `COARSE_MM` is set to the host's, so that only texture and the seam differ.
    """
    image = host.image.copy()
    window = ndimage.find_objects((placed.share > 0).astype(np.uint8))[0]
    share, own = placed.share[window], host.image[window] - host.coarse[window]
    rng = np.random.default_rng(seed)
    patches = _patches(host, share, window, rng)
    patch = min(patches, key=lambda one: float((share * np.abs(one - own)).sum()), default=own)
    image[window] += share * (patch - own)
    return image


def _patches(
    host: HostImage, share: FloatArray, window: tuple[slice, ...], rng: np.random.Generator
) -> Iterator[FloatArray]:
    """Texture of candidate windows away from the lesion, with tissue wherever the lesion has some."""
    texture, solid = host.image - host.coarse, host.tissues.solid
    size = np.array(share.shape)
    room = np.array(texture.shape) - size
    here = np.array([part.start for part in window])
    for start in rng.integers(0, room + 1, (SOURCES, 3)):
        if (np.abs(start - here) < size / 2).all():
            continue
        place = tuple(slice(int(a), int(a + length)) for a, length in zip(start, size, strict=True))
        turn = np.s_[::-1] if rng.integers(2) else np.s_[:]
        if (share * ~solid[place][turn]).sum() <= 0.05 * share.sum():
            yield texture[place][turn]


def _texture(host: HostImage, rng: np.random.Generator) -> FloatArray:
    finer, coarser = (smooth_noise(rng, host.image.shape, host.tissues.spacing, width) for width in TEXTURE_MM)
    return np.asarray(host.rough * (np.sqrt(1 - COARSER**2) * finer + COARSER * coarser), dtype=np.float32)


def _local_mean(image: FloatArray, brain_mask: Mask, spacing: tuple[float, float, float]) -> FloatArray:
    """Gaussian mean over brain voxels only."""
    widths = [COARSE_MM / edge for edge in spacing]
    weight = ndimage.gaussian_filter(brain_mask.astype(np.float32), widths)
    total = ndimage.gaussian_filter(np.where(brain_mask, image, 0).astype(np.float32), widths)
    return np.asarray(np.where(brain_mask, total / np.maximum(weight, 1e-6), 0), dtype=np.float32)

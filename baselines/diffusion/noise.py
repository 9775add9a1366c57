"""Noise fields from a counter-based generator: a field depends on its seed and stream, on nothing else."""

from functools import lru_cache
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.slices.seeding import random_words

OCTAVES = 6
LONGEST_WAVELENGTH = 64.0  # pixels; halves from octave to octave
PERSISTENCE = 0.8

SQUISH = (sqrt(3) - 1) / 2  # lattice to plane
STRETCH = (1 / sqrt(3) - 1) / 2  # plane to lattice
GRADIENTS = ((5, 2, -5, -2, 5, 2, -5, -2), (2, 5, 2, 5, -2, -5, -2, -5))
NORM = 47.0
RESOLUTION = 2.0**20


def simplex_noise(seeds: Tensor, shape: tuple[int, int], *, stream: int) -> Tensor:
    """Six octaves of 2-D OpenSimplex noise, not normalised: standard deviation about 0.57.

    Every octave has its own lattice of random gradients. Noise is linear in the gradients, so all fields of
    a batch are one product of a fixed sparse matrix with them.

    Args:
        seeds: `(B,)` int64, one a field.
        shape: `(X, Y)` pixels.
        stream: another stream of the same seed is another, independent field.

    Returns:
        `(B, 1, X, Y)` float32, the same bit for bit in any batch and on any device.

    References:
        Spencer 2014, "OpenSimplex noise"; six octaves as in Wyatt et al. 2022 (AnoDDPM).
    """
    lattice = _lattice(shape, seeds.device)
    direction = random_words(seeds, lattice.points, stream=stream) >> 29  # (B, points) in 0..7
    gradients = lattice.gradients[:, direction.T]  # (2, points, B)
    field = F.embedding_bag(
        lattice.columns,
        gradients.flatten(0, 1),
        lattice.row_starts,
        mode="sum",
        per_sample_weights=lattice.weights,
    )  # (X * Y, B)
    return field.T.reshape(-1, 1, *shape)


def gaussian_noise(seeds: Tensor, shape: tuple[int, int], *, stream: int) -> Tensor:
    """White noise of unit variance, `(B, 1, X, Y)` float32, by Box and Muller's transform.

    Args:
        seeds: `(B,)` int64, one a field.
        shape: `(X, Y)` pixels.
        stream: another stream of the same seed is another, independent field.
    """
    pixels = shape[0] * shape[1]
    pairs = (pixels + 1) // 2
    # In float64, so that devices whose logarithms differ in the last place agree after rounding.
    uniform = random_words(seeds, 2 * pairs, stream=stream).double() / 2**32
    radius = (-2 * torch.log1p(-uniform[:, :pairs])).sqrt()
    angle = 2 * torch.pi * uniform[:, pairs:]
    normal = torch.cat([radius * angle.cos(), radius * angle.sin()], dim=1)[:, :pixels]
    return normal.float().reshape(-1, 1, *shape)


class _Lattice(NamedTuple):
    """A sparse matrix from gradients to pixels, row after row.

    The first `points` columns stand for the gradients' first components, the next for the second ones.
    """

    points: int
    gradients: Tensor
    columns: Tensor
    row_starts: Tensor
    weights: Tensor


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _lattice(shape: tuple[int, int], device: torch.device) -> _Lattice:
    pixels, columns, weights = [], [], []
    points = 0
    for octave in range(OCTAVES):
        pixel, vertex, weight = _octave(shape, LONGEST_WAVELENGTH / 2**octave)
        _, column = vertex.unique(dim=0, return_inverse=True)
        pixels.append(pixel)
        columns.append(column + points)
        weights.append(weight * PERSISTENCE**octave / NORM)
        points += int(column.max()) + 1
    row = torch.cat(pixels).repeat(2)
    order = row.argsort(stable=True)
    column = torch.cat([torch.cat(columns), torch.cat(columns) + points])[order]
    entries = torch.bincount(row, minlength=shape[0] * shape[1])
    # Multiples of 2^-20 times small integers: float32 holds every partial sum (below 2^4) exactly, so the
    # order in which a device adds cannot matter.
    weight = (torch.cat(weights).T.flatten()[order] * RESOLUTION).round() / RESOLUTION
    gradients = torch.tensor(GRADIENTS, dtype=torch.float32, device=device)
    return _Lattice(
        points, gradients, column.to(device), (entries.cumsum(0) - entries).to(device), weight.float().to(device)
    )


def _octave(shape: tuple[int, int], wavelength: float) -> tuple[Tensor, Tensor, Tensor]:
    """Pairs of a pixel and a lattice point within its reach: `(K,)` pixel, `(K, 2)` point, `(K, 2)` weight.

    The weight is kernel times offset, `(2 - d^2)^4 d`: its product with the point's gradient is what the
    point adds to the pixel.
    """
    position = torch.cartesian_prod(*(torch.arange(n, dtype=torch.float64) for n in shape)) / wavelength
    corner = (position + STRETCH * position.sum(1, keepdim=True)).floor()
    around = torch.cartesian_prod(*(torch.arange(-1.0, 3.0, dtype=torch.float64),) * 2)
    vertex = corner[:, None] + around  # (pixels, 16, 2)
    offset = position[:, None] - (vertex + SQUISH * vertex.sum(-1, keepdim=True))
    kernel = (2 - offset.square().sum(-1)).clamp(min=0) ** 4
    pixel, near = kernel.nonzero(as_tuple=True)
    return pixel, vertex[pixel, near], (kernel[..., None] * offset)[pixel, near]

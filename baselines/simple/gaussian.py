"""smoothed: a Gaussian filter normalised to the brain, so that values do not fade at its edge."""

from collections.abc import Sequence
from math import exp

import torch
from torch import Tensor


def smoothed(image: Tensor, brain_mask: Tensor, sigma: float) -> Tensor:
    """Gaussian average of the brain's voxels around each voxel; image `(C, X, Y, Z)`, brain mask `(1, X, Y, Z)`.

    Outside the brain the result is 0. `sigma` is in voxels, 0 for no filter; the kernel is truncated at 4 sigma.
    """
    inside = brain_mask.float()
    if sigma <= 0:
        return image * inside
    weight = _filtered(inside, sigma).clamp(min=torch.finfo(torch.float32).tiny)
    return torch.where(brain_mask, _filtered(image * inside, sigma) / weight, 0.0)


def _filtered(volume: Tensor, sigma: float) -> Tensor:
    """Filter along each axis; voxels beyond the box count as 0."""
    radius = max(round(4 * sigma), 1)
    weights = [exp(-0.5 * (offset / sigma) ** 2) for offset in range(radius + 1)]
    whole = 2 * sum(weights) - weights[0]
    for axis in (1, 2, 3):
        volume = _along(volume, [weight / whole for weight in weights], axis)
    return volume


def _along(volume: Tensor, weights: Sequence[float], axis: int) -> Tensor:
    """Weighted sum, `weights[k]` for both neighbours at distance k; in place, so that two volumes are held at once."""
    length = volume.shape[axis]
    result = weights[0] * volume
    for offset in range(1, min(len(weights), length)):
        lower, upper = (volume.narrow(axis, start, length - offset) for start in (0, offset))
        result.narrow(axis, offset, length - offset).add_(lower, alpha=weights[offset])
        result.narrow(axis, 0, length - offset).add_(upper, alpha=weights[offset])
    return result

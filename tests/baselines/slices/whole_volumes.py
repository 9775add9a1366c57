"""Augmented whole volumes, by the function that draws windows of them."""

import torch
from torch import Tensor

from baselines.slices.augmentation import augmented_slices


def augmented(images: Tensor, brain_masks: Tensor, seeds: Tensor, *, spacing: float) -> Tensor:
    """Variants of whole volumes; see `augmented_slices`.

    Args:
        images: `(B, 1, X, Y, Z)` in [0, 1].
        brain_masks: `(B, 1, X, Y, Z)` bool.
        seeds: `(B,)` int64.
        spacing: voxel edge in mm.

    Returns:
        `(B, 1, X, Y, Z)` float32.
    """
    cases = torch.arange(len(images), device=images.device)
    first = torch.zeros_like(cases)
    depth = images.shape[-1]
    slices = augmented_slices(images, brain_masks, seeds, cases=cases, first=first, stack=depth, spacing=spacing)
    return slices.movedim(1, -1)[:, None].contiguous()

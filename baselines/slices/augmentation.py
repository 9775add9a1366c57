"""Random blur, bias field, gamma and ghosting of healthy volumes, as likely and as strong as torchio's defaults."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
import torch
from torch import Tensor

from baselines.slices.artefacts import GHOSTS, LARGEST_STD, MONOMIALS, biased, blurred, gamma_corrected, ghosted
from baselines.slices.seeding import random_words

LARGEST_COEFFICIENT = 0.5
LARGEST_LOG_GAMMA = 0.3
SMALLEST_INTENSITY = 0.5

CPU_CHUNK, GPU_CHUNK = 1, 16  # volumes
STREAM = 0


@dataclass(frozen=True)
class AugmentationParameters:
    """AugmentationParameters of B images' transforms, on the CPU, so that reading them does not wait for a GPU.

    Attributes:
        blurs, biases, corrects, ghosts: `(B,)` bool, true with probability 0.25, 0.25, 0.5 and 0.5.
        std: `(B, 3)` of the blur along x, y, z, in mm, uniform in [0, 2).
        coefficients: `(B, 20)` of the bias field's monomials, uniform in [-0.5, 0.5).
        gamma: `(B,)`, its logarithm uniform in [-0.3, 0.3).
        count: `(B,)` int64 ghosts, uniform in 4..10.
        axis: `(B,)` int64 of the ghosts, uniform in 0..2.
        intensity: `(B,)` of the ghosts, uniform in [0.5, 1).
    """

    blurs: Tensor
    biases: Tensor
    corrects: Tensor
    ghosts: Tensor
    std: Tensor
    coefficients: Tensor
    gamma: Tensor
    count: Tensor
    axis: Tensor
    intensity: Tensor

    def chunk(self, number: int, size: int) -> "AugmentationParameters":
        """Those of the images from `number * size` on, `size` of them."""
        rows = slice(number * size, (number + 1) * size)
        return AugmentationParameters(*(getattr(self, field.name)[rows] for field in fields(self)))


def random_parameters(seeds: Tensor) -> AugmentationParameters:
    """Draw parameters for `(B,)` int64 seeds on the CPU; row i depends on `seeds[i]` alone."""
    words = random_words(seeds, 11 + len(MONOMIALS), stream=STREAM)
    uniform = (words.double() / 2**32).float().clamp(max=1 - 2**-24)  # (B, 31), in [0, 1)
    return AugmentationParameters(
        blurs=uniform[:, 0] < 0.25,
        biases=uniform[:, 1] < 0.25,
        corrects=uniform[:, 2] < 0.5,
        ghosts=uniform[:, 3] < 0.5,
        std=LARGEST_STD * uniform[:, 4:7],
        gamma=(LARGEST_LOG_GAMMA * (2 * uniform[:, 7] - 1)).exp(),
        count=GHOSTS.start + (len(GHOSTS) * uniform[:, 8]).long(),
        axis=(3 * uniform[:, 9]).long(),
        intensity=SMALLEST_INTENSITY + (1 - SMALLEST_INTENSITY) * uniform[:, 10],
        coefficients=LARGEST_COEFFICIENT * (2 * uniform[:, 11:] - 1),
    )


@torch.no_grad()
def augmented_slices(
    images: Tensor, brain_masks: Tensor, seeds: Tensor, *, cases: Tensor, first: Tensor, stack: int, spacing: float
) -> Tensor:
    """Windows of augmented volumes, in [0, 1] and 0 outside the brain.

    Blur, bias field, gamma and ghosting are applied in this order, each with its probability. A bias field can
    quadruple intensities: where a brain's 99th percentile exceeds 1, the image is divided by it, as the grid would
    scale a scan that came with the field.

    The width of a blur in mm is the same on every grid, as torchio has it for an image that knows its spacing.

    Volumes are processed in chunks of a fixed size, the last one padded, so that no window depends on its
    neighbours: 16 on a GPU, and one on the CPU, where transforms that are not applied can be skipped.
    Beyond the arguments at most eight float32 volumes are held for each volume of a chunk.

    Args:
        images: `(N, 1, X, Y, Z)` float16 or float32 in [0, 1].
        brain_masks: `(N, 1, X, Y, Z)` bool, none empty.
        seeds: `(B,)` int64; sample i depends on `seeds[i]` alone. On the CPU, so that no GPU is waited for.
        cases: `(B,)` int64, the image of each sample.
        first: `(B,)` int64, the first slice of each window. Both are on the images' device.
        stack: slices a window.
        spacing: voxel edge in mm.

    Returns:
        `(B, stack, X, Y)` float32, on the images' device.
    """
    chunk = CPU_CHUNK if images.device.type == "cpu" else GPU_CHUNK
    padding = -len(seeds) % chunk
    parameters = random_parameters(_padded(seeds.cpu(), padding))
    pairs = zip(_padded(cases, padding).split(chunk), _padded(first, padding).split(chunk), strict=True)
    windows = []
    with torch.autocast(images.device.type, enabled=False):
        for number, (case, z) in enumerate(pairs):
            inside = brain_masks[case]
            high, changed = _changed(images[case].float(), inside, parameters.chunk(number, chunk), spacing)
            windows.append(_windows(changed, inside, high, z, stack))
    return torch.cat(windows)[: len(seeds)]


def _changed(
    images: Tensor, brain_masks: Tensor, parameters: AugmentationParameters, spacing: float
) -> tuple[Tensor, Tensor]:
    """The divisors `(B,)`, and the transformed volumes."""
    images = _applied(blurred, images, parameters.blurs, parameters.std / spacing)
    images = _applied(biased, images, parameters.biases, parameters.coefficients)
    images = _applied(gamma_corrected, images, parameters.corrects, parameters.gamma)
    for axis in range(3):
        chosen = parameters.ghosts & (parameters.axis == axis)
        images = _applied(partial(ghosted, axis=axis), images, chosen, parameters.count, parameters.intensity)
    brightened = parameters.biases | parameters.ghosts  # the others leave [0, 1] by rounding only
    if not brightened.any():
        return images.new_ones(len(images)), images
    high = _bright(images, brain_masks).clamp(min=1)
    return torch.where(brightened.to(images.device, non_blocking=True), high, 1.0), images


def _applied(transform: Callable[..., Tensor], images: Tensor, chosen: Tensor, *parameters: Tensor) -> Tensor:
    """Transform the chosen images and keep the others bit for bit; `chosen` and parameters are on the CPU."""
    if not chosen.any():
        return images
    changed = transform(images, *(values.to(images.device, non_blocking=True) for values in parameters))
    if chosen.all():
        return changed
    return torch.where(chosen.to(images.device, non_blocking=True).view(-1, 1, 1, 1, 1), changed, images)


def _bright(images: Tensor, brain_masks: Tensor) -> Tensor:
    """`(B,)`: the 99th percentile inside the brain, by linear interpolation."""
    if images.device.type == "cpu":
        return torch.tensor([_by_partition(*pair) for pair in zip(images, brain_masks, strict=True)])
    return _by_rank(images, brain_masks)


def _by_partition(image: Tensor, brain_mask: Tensor) -> float:
    """Ten times as fast as ranking on the CPU."""
    values = image.numpy()[brain_mask.numpy()]
    rank = 0.99 * (len(values) - 1)
    lower = int(rank)
    ordered = np.partition(values, lower)
    upper = ordered[lower + 1 :].min() if rank > lower else ordered[lower]
    return float(ordered[lower] + (rank - lower) * (upper - ordered[lower]))


def _by_rank(images: Tensor, brain_masks: Tensor) -> Tensor:
    """For all images at once and without reading the size of a brain, so that the GPU is not waited for."""
    values = torch.where(brain_masks, images, -torch.inf).flatten(1)
    top = values.topk(min(values.shape[1] // 100 + 2, values.shape[1])).values
    last = brain_masks.flatten(1).sum(dim=1, keepdim=True) - 1
    upper, rest = last // 100, last % 100
    lower = upper + (rest > 0).long()
    return torch.lerp(top.gather(1, upper), top.gather(1, lower), rest / 100)[:, 0]


def _padded(values: Tensor, padding: int) -> Tensor:
    return torch.cat([values, values[-1:].expand(padding)])


def _windows(volumes: Tensor, brain_masks: Tensor, high: Tensor, first: Tensor, stack: int) -> Tensor:
    """`(B, stack, X, Y)`: divided by `high`, clamped to [0, 1], 0 outside the brain."""
    cases = torch.arange(len(volumes), device=volumes.device)[:, None]
    z = first[:, None] + torch.arange(stack, device=volumes.device)
    slices = volumes[cases, 0, :, :, z] / high.view(-1, 1, 1, 1)
    return torch.where(brain_masks[cases, 0, :, :, z], slices.clamp(0, 1), 0.0)

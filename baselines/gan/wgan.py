"""WGAN-GP: a residual generator and critic of slices in [-1, 1], and the losses of their game."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt

import torch
from torch import Tensor, nn

from datasets.errors import BadValue

HE = sqrt(2)  # gain of convolutions behind a ReLU, over Glorot's initialisation
Norm = Callable[[int], nn.Module]


class Generator(nn.Module):
    """`(B, latent)` standard normal codes to `(B, 1, size, size)` slices in (-1, 1).

    A linear layer makes `size / 2 ** (levels - 1)` pixels of the widest level; each residual block then
    doubles the edge. Batch normalisation, ReLU, 3 x 3 convolutions.
    """

    def __init__(self, size: int, *, latent: int, width: int, multipliers: Sequence[int]) -> None:
        super().__init__()
        widths, edge = _pyramid(size, width, multipliers)
        widths = widths[::-1]
        self.layers = nn.Sequential(
            linear(latent, widths[0] * edge**2),
            nn.Unflatten(1, (widths[0], edge, edge)),
            *(_Up(inside, outside) for inside, outside in pairwise(widths)),
            nn.BatchNorm2d(widths[-1]),
            nn.ReLU(),
            _convolution(widths[-1], 1),
            nn.Tanh(),
        )

    def forward(self, codes: Tensor) -> Tensor:
        return self.layers(codes)


class Features(nn.Module):
    """`(B, 1, size, size)` slices to `(B, count)`: the generator's mirror image, flattened at its smallest edge."""

    def __init__(self, size: int, *, width: int, multipliers: Sequence[int], norm: Norm) -> None:
        super().__init__()
        widths, edge = _pyramid(size, width, multipliers)
        self.count = widths[-1] * edge**2
        self.layers = nn.Sequential(
            _convolution(1, widths[0], gain=1),
            *(_Down(inside, outside, norm) for inside, outside in pairwise(widths)),
            nn.Flatten(),
        )

    def forward(self, slices: Tensor) -> Tensor:
        return self.layers(slices)


class Critic(nn.Module):
    """`(B, 1, size, size)` slices to `(B,)`, higher for real ones; each slice is judged alone.

    Layer normalisation instead of batch normalisation, since the gradient penalty is one of each slice
    (Gulrajani et al. 2017, section 4, "No critic batch normalization").
    """

    def __init__(self, size: int, *, width: int, multipliers: Sequence[int]) -> None:
        super().__init__()
        self.features = Features(size, width=width, multipliers=multipliers, norm=_layer_norm)
        self.verdict = linear(self.features.count, 1)

    def forward(self, slices: Tensor) -> Tensor:
        return self.verdict(self.features(slices))[:, 0]


def critic_loss(critic: nn.Module, real: Tensor, fake: Tensor, *, penalty: float) -> Tensor:
    """Minus the estimated Wasserstein distance, and the weighted gradient penalty; draws from torch's generator.

    Args:
        real, fake: `(B, 1, X, Y)`; no gradient flows into them.
        penalty: lambda, 10 in the paper.

    References:
        Gulrajani et al.: Improved training of Wasserstein GANs. NeurIPS 2017. arXiv 1704.00028, equation 3.
    """
    real, fake = real.detach(), fake.detach()
    distance = critic(real).mean() - critic(fake).mean()
    return penalty * gradient_penalty(critic, real, fake) - distance


def generator_loss(critic: nn.Module, fake: Tensor) -> Tensor:
    """Minus the critic's mean verdict of generated slices (Gulrajani et al. 2017, algorithm 1)."""
    return -critic(fake).mean()


def gradient_penalty(critic: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Mean squared deviation from 1 of the critic's gradient norm, at one random point between each pair of slices.

    In float32 under any autocast: squared gradients leave the range of half precision. The norm's own
    gradient is 0 where the norm is, so that a flat critic is not NaN.

    References:
        Gulrajani et al. 2017, equation 3, second term, without its lambda.
    """
    share = torch.rand(len(real), 1, 1, 1, device=real.device)
    between = torch.lerp(fake.float(), real.float(), share).requires_grad_()
    with torch.autocast(real.device.type, enabled=False):
        verdicts = critic(between)
        # Gradients asked for here and not left in `.grad`: a graph that is kept there is never freed.
        (gradients,) = torch.autograd.grad(verdicts.sum(), between, create_graph=True)
    return (gradients.flatten(1).norm(dim=1) - 1).square().mean()


def linear(inside: int, outside: int) -> nn.Linear:
    """With Glorot's initialisation and biases of 0, as all layers here."""
    layer = nn.Linear(inside, outside)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


class _Up(nn.Module):
    """Residual block that doubles the edge by nearest neighbours."""

    def __init__(self, inside: int, outside: int) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm2d(inside),
            nn.ReLU(),
            nn.Upsample(scale_factor=2),
            _convolution(inside, outside, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            _convolution(outside, outside),
        )
        # A 1 x 1 convolution before the up-sampling is the published one after it, at a quarter of the work.
        self.shortcut = nn.Sequential(_convolution(inside, outside, kernel=1, gain=1), nn.Upsample(scale_factor=2))

    def forward(self, features: Tensor) -> Tensor:
        return self.shortcut(features) + self.residual(features)


class _Down(nn.Module):
    """Residual block that halves the edge by average pooling."""

    def __init__(self, inside: int, outside: int, norm: Norm) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            norm(inside),
            nn.ReLU(),
            _convolution(inside, inside, bias=False),
            norm(inside),
            nn.ReLU(),
            _convolution(inside, outside),
            nn.AvgPool2d(2),
        )
        self.shortcut = nn.Sequential(nn.AvgPool2d(2), _convolution(inside, outside, kernel=1, gain=1))

    def forward(self, features: Tensor) -> Tensor:
        return self.shortcut(features) + self.residual(features)


def _pyramid(size: int, width: int, multipliers: Sequence[int]) -> tuple[list[int], int]:
    """Channels of each level from the finest on, and the coarsest level's edge."""
    halvings = len(multipliers) - 1
    if halvings < 1 or size < 2**halvings or size % 2**halvings:
        raise BadValue(
            f"Got size {size}, expected a multiple of {2 ** max(halvings, 1)} for multipliers {multipliers}."
        )
    return [width * multiplier for multiplier in multipliers], size // 2**halvings


def _layer_norm(channels: int) -> nn.Module:
    """Over channels and pixels of a slice, with a scale and shift for each channel."""
    return nn.GroupNorm(1, channels)


def _convolution(inside: int, outside: int, *, kernel: int = 3, bias: bool = True, gain: float = HE) -> nn.Conv2d:
    layer = nn.Conv2d(inside, outside, kernel, padding=kernel // 2, bias=bias)
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer

"""The denoising U-Net: residual blocks steered by the time step and, where given, by a code."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from baselines.diffusion.winograd import Conv3x3

Resampling = Literal["none", "down", "up"]
Layer = TypeVar("Layer", bound=nn.Module)


class UNet(nn.Module):
    """Predicts x_0 from x_t.

    Levels of `residual_blocks` blocks, joined by blocks that halve the resolution; one attention block at
    the bottom; the way up mirrors the way down with one block more a level, since every block of the way
    down, and the stem, hands its output across.

    Args:
        width: channels at full resolution, a multiple of `groups`.
        multipliers: of the width, one a level.
        residual_blocks: blocks a level on the way down.
        heads: of the attention block.
        groups: of the group normalisations.
        code: length of the conditioning code; None for an unconditioned network.
        stem_stride: edge of the squares of pixels that go in, and come out, as channels of one pixel: the network
            sees 1 / stem_stride of the resolution. 1 as published.

    References:
        Dhariwal and Nichol 2021, "Diffusion models beat GANs on image synthesis"; Shi et al. 2016, "Real-time
        single image and video super-resolution using an efficient sub-pixel convolutional neural network", for
        pixels as channels.
    """

    def __init__(
        self,
        *,
        width: int = 128,
        multipliers: Sequence[int] = (1, 2, 2),
        residual_blocks: int = 3,
        heads: int = 4,
        groups: int = 32,
        code: int | None = None,
        stem_stride: int = 1,
    ) -> None:
        super().__init__()
        self.stem_stride = stem_stride
        embedding = 4 * width
        self.time = nn.Sequential(TimeEmbedding(width), *_perceptron(width, embedding))
        self.code = None if code is None else nn.Sequential(*_perceptron(code, embedding))
        steering = embedding if code is None else 2 * embedding

        def block(inputs: int, outputs: int, resampling: Resampling = "none") -> ResidualBlock:
            return ResidualBlock(inputs, outputs, steering=steering, groups=groups, resampling=resampling)

        self.stem = nn.Conv2d(stem_stride**2, width, 3, padding=1)
        self.down, skipped = _way_down(block, width, multipliers, residual_blocks)
        bottom = skipped[-1]
        self.middle = nn.ModuleList(
            [block(bottom, bottom), Attention(bottom, heads=heads, groups=groups), block(bottom, bottom)]
        )
        self.up = _way_up(block, width, multipliers, residual_blocks, skipped)
        self.head = nn.Sequential(
            GroupNorm(groups, width * multipliers[0]),
            nn.SiLU(),
            _zeroed(nn.Conv2d(width * multipliers[0], stem_stride**2, 3, padding=1)),
        )

    def forward(self, x: Tensor, index: Tensor, code: Tensor | None = None) -> Tensor:
        """x_0 from x_t.

        Args:
            x: `(B, 1, X, Y)` in [-1, 1] plus noise; X and Y multiples of stem_stride * 2 ** (levels - 1).
            index: `(B,)` int64, t - 1.
            code: `(B, code)` for a conditioned network, else None.

        Returns:
            `(B, 1, X, Y)` float32, about [-1, 1] and not clamped.

        Raises:
            ValueError: there is a code but nothing to take it, or the reverse.
        """
        steering = F.silu(self._steering(index, code))
        x = self.stem(F.pixel_unshuffle(x, self.stem_stride))
        if x.device.type == "cpu":
            # Convolutions and norms of the CPU are 10-20 % faster in this layout, which all layers keep.
            x = x.contiguous(memory_format=torch.channels_last)
        skips = [x]
        for block in self.down:
            x = block(x, steering)
            skips.append(x)
        before, attention, after = self.middle
        x = after(attention(before(x, steering)), steering)
        for block in self.up:
            if block.resampling != "up":
                x = torch.cat([x, skips.pop()], dim=1)
            x = block(x, steering)
        return F.pixel_shuffle(self.head(x), self.stem_stride).float()

    def _steering(self, index: Tensor, code: Tensor | None) -> Tensor:
        """`(B, steering)`: the time step's embedding, followed by the code's."""
        if (self.code is None) != (code is None):
            got, expected = ("no code", "one") if code is None else ("a code", "none")
            raise ValueError(f"U-Net: got {got}, expected {expected}, as it was built.")
        time = self.time(index)
        return time if self.code is None else torch.cat([time, self.code(code)], dim=1)


class ResidualBlock(nn.Module):
    """Two convolutions; the steering vector scales and shifts what lies between them."""

    def __init__(
        self, inputs: int, outputs: int, *, steering: int, groups: int, resampling: Resampling = "none"
    ) -> None:
        super().__init__()
        self.resampling = resampling
        self.norm1 = GroupNorm(groups, inputs)
        self.conv1 = Conv3x3(inputs, outputs)
        self.scale_shift = nn.Linear(steering, 2 * outputs)
        self.norm2 = GroupNorm(groups, outputs)
        self.conv2 = _zeroed(Conv3x3(outputs, outputs))
        self.skip = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor, steering: Tensor) -> Tensor:
        in_place = not torch.is_grad_enabled()  # where no gradient asks for what is written over
        scale, shift = self.scale_shift(steering)[:, :, None, None].chunk(2, dim=1)  # (B, outputs, 1, 1)
        h = self.conv1(self._resampled(F.silu(self.norm1(x), inplace=in_place)))
        h = torch.addcmul(shift, self.norm2(h), 1 + scale)
        h, skipped = self.conv2(F.silu(h, inplace=in_place)), self.skip(self._resampled(x))
        return h.add_(skipped) if in_place else h + skipped

    def _resampled(self, x: Tensor) -> Tensor:
        if self.resampling == "down":
            return F.avg_pool2d(x, 2)
        if self.resampling == "up":
            return F.interpolate(x, scale_factor=2.0, mode="nearest")
        return x


class Attention(nn.Module):
    """Self-attention between all pixels, added to its input."""

    def __init__(self, channels: int, *, heads: int, groups: int) -> None:
        super().__init__()
        if channels % heads:
            raise ValueError(f"Attention: got {heads} heads, expected a divisor of the {channels} channels.")
        self.heads = heads
        self.norm = GroupNorm(groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.out = _zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        parts = self.qkv(self.norm(x).flatten(2)).chunk(3, dim=1)  # 3 of (B, C, X * Y)
        q, k, v = (part.unflatten(1, (self.heads, -1)).transpose(2, 3) for part in parts)
        if x.device.type != "cpu":  # where kernels that hold no matrix of all pairs take contiguous inputs alone
            q, k, v = q.contiguous(), k.contiguous(), v.contiguous()
        attended = F.scaled_dot_product_attention(q, k, v)  # (B, heads, X * Y, C / heads)
        return x + self.out(attended.transpose(2, 3).flatten(1, 2)).reshape(x.shape)


class GroupNorm(nn.GroupNorm):
    """Group normalisation that keeps half precision on a GPU where no gradient is asked for.

    Autocast computes it in float32, so that it, the activation after it and the copy that the next convolution takes
    move two to three times the bytes. Mean and variance are float32 in any case.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.device.type == "cpu" or x.dtype == torch.float32 or torch.is_grad_enabled():
            return super().forward(x)
        with torch.autocast(x.device.type, enabled=False):
            return F.group_norm(x, self.num_groups, self.weight.to(x.dtype), self.bias.to(x.dtype), self.eps)


class TimeEmbedding(nn.Module):
    """Cosines and sines of the index, `(B,)` to `(B, width)`, at frequencies from 1 down to 1e-4."""

    frequencies: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        frequencies = torch.exp(-torch.log(torch.tensor(10_000.0)) * torch.arange(half) / half)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, index: Tensor) -> Tensor:
        angle = index.float()[:, None] * self.frequencies
        return torch.cat([angle.cos(), angle.sin()], dim=1)


def _way_down(
    block: Callable[..., ResidualBlock], width: int, multipliers: Sequence[int], residual_blocks: int
) -> tuple[nn.ModuleList, list[int]]:
    """Blocks of the way down, and the channels that the stem and each of them hands across."""
    blocks, skipped = nn.ModuleList(), [width]
    for level, multiplier in enumerate(multipliers):
        if level:
            blocks.append(block(skipped[-1], skipped[-1], "down"))
            skipped.append(skipped[-1])
        for _ in range(residual_blocks):
            blocks.append(block(skipped[-1], width * multiplier))
            skipped.append(width * multiplier)
    return blocks, skipped


def _way_up(
    block: Callable[..., ResidualBlock],
    width: int,
    multipliers: Sequence[int],
    residual_blocks: int,
    skipped: Sequence[int],
) -> nn.ModuleList:
    """Blocks of the way up: each takes one skip, the last to come first; up-sampling ones take none."""
    blocks, remaining, channels = nn.ModuleList(), list(skipped), skipped[-1]
    for level, multiplier in reversed(list(enumerate(multipliers))):
        for _ in range(residual_blocks + 1):
            blocks.append(block(channels + remaining.pop(), width * multiplier))
            channels = width * multiplier
        if level:
            blocks.append(block(channels, channels, "up"))
    return blocks


def _perceptron(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs), nn.SiLU(), nn.Linear(outputs, outputs)


def _zeroed(module: Layer) -> Layer:
    """A block whose last layer starts at zero starts as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module

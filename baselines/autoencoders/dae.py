"""DAE: a U-Net trained to remove coarse noise from healthy slices, which removes lesions as well."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam

from baselines.reconstruction import MEAN_RESIDUAL, SliceReconstruction
from baselines.trained_on_slices import QUICK, SMALL, TRAINING_DEPARTURES
from benchmark.methods import Card
from benchmark.methods.detector import FLOAT32
from datasets.errors import BadValue


class DAE(SliceReconstruction):
    """Denoising auto-encoder: trained on noised slices, applied to clean ones.

    References:
        Kascenas, Pugeault, O'Neil 2022, "Denoising autoencoders for unsupervised anomaly detection in brain
        MRI", MIDL, PMLR 172:653-664, and its released program.
    """

    @dataclass(frozen=True)
    class Config(SliceReconstruction.Config):
        """Network and noise.

        Attributes:
            width: channels at full resolution; each level doubles them and halves the resolution.
            depth: levels.
            noise_std: standard deviation of the noise where it is drawn, in units of intensity.
            noise_grid: the noise is drawn on `(noise_grid, noise_grid)` points over the slice, whatever its
                size, so that its coarseness in mm is the same on every grid of one field of view.
            weight_decay: l2 penalty, as Adam has it.
            foreground: intensity, summed over sequences, above which noise is added and the error counts.
        """

        width: int = 64
        depth: int = 4
        noise_std: float = 0.2
        noise_grid: int = 16
        weight_decay: float = 1e-5
        foreground: float = 0.0

        def __post_init__(self) -> None:
            super().__post_init__()
            smallest = {"width": 1, "depth": 1, "noise_grid": 2, "noise_std": 0.0, "weight_decay": 0.0}
            for name, least in smallest.items():
                if getattr(self, name) < least:
                    raise BadValue(f"Got {name} {getattr(self, name)}, expected {least} or more.")
            check_halving(self.size, self.depth)

    card: ClassVar[Card] = Card(
        printed_name="DAE",
        supervision="healthy scans",
        trained_on="To take noise out of axial slices of healthy scans; the best healthy validation loss is kept.",
        tuned_on=(
            "The released program's recipe. Its authors report how tumour detection depends on the noise's resolution "
            "and strength, so labelled tumours may have chosen those two."
        ),
        references=(
            "Kascenas, Pugeault, O'Neil 2022, Denoising autoencoders for unsupervised anomaly detection in brain MRI, "
            "MIDL, PMLR 172:653-664",
            "Qiao et al. 2019, Micro-batch training with batch-channel normalization and weight standardization, "
            "arXiv 1903.10520",
        ),
        departures=(
            *TRAINING_DEPARTURES,
            "The learning rate is constant: the reference study names one number. The released program lets it follow "
            "a cosine (schedule='cosine').",
            "Budget (19,200 steps of 32) and augmentation are the reference study's; the released program takes "
            "67,200 steps of 16 without augmentation (steps, batch_size, augment).",
            "Slices have 96 pixels, not 128: noise is drawn every 13 mm. A study decides how many sequences go in; "
            "published are four.",
            "Healthy slices are those of healthy people, not the tumour-free slices of patients.",
            "Foreground is more than 0, which is the brain here; the program has more than 0.01 (foreground).",
        ),
        several_sequences=f"{MEAN_RESIDUAL} They are the channels of one slice, each with its own noise, as published.",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            **QUICK,
            "width": 16,
        },
        "small": {**SMALL, "steps": 2_500, "width": 16},
    }
    config: Config

    def __init__(self, config: Config, *, channels: int = 1) -> None:
        super().__init__(config, channels=channels)
        self.unet = DenoisingUNet(width=config.width, depth=config.depth, inputs=channels, outputs=channels)

    @property
    def values_per_pixel(self) -> int:
        """One and a half times the peak measured, which lies where the first level merges with the second."""
        return 12 * self.config.width

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """Plus two copies of the largest weight, made while it is standardised."""
        largest = max(weight.numel() for weight in self.parameters())
        return super().memory_bound(shape, volumes) + 2 * FLOAT32 * largest

    def loss(self, slices: Tensor) -> Tensor:
        """Mean over all pixels of the squared error in the foreground, where alone the noise was added.

        The noise is that of `coarse_noise`, and nothing is clamped.
        """
        foreground = slices.sum(dim=1, keepdim=True) > self.config.foreground
        noise = coarse_noise(slices, grid=self.config.noise_grid, std=self.config.noise_std)
        return ((self(slices + noise * foreground) - slices).square() * foreground).mean()

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        return self(slices)

    def forward(self, slices: Tensor) -> Tensor:
        """`(B, C, size, size)` without what the network takes for noise."""
        return self.unet(slices)

    def optimizer(self) -> Adam:
        config = self.config
        return Adam(self.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, amsgrad=True)


def coarse_noise(like: Tensor, *, grid: int, std: float) -> Tensor:
    """Noise fields from N(0, std ** 2) at `grid x grid` points, bilinear between, rolled by one random shift.

    Draws from torch's global generators. The interpolation averages: between the points the noise is weaker.

    Args:
        like: `(B, C, X, Y)`, whose shape and device the fields have.
        grid: points along an edge; the outermost lie on the slice's edges.
        std: at the points.

    References:
        Kascenas et al. 2022; the interpolation, corners on corners, and one shift a batch are the program's.
    """
    points = std * torch.randn(*like.shape[:2], grid, grid, device=like.device)
    field = F.interpolate(points, size=like.shape[2:], mode="bilinear", align_corners=True)
    return field.roll([int(torch.randint(length, ())) for length in like.shape[2:]], dims=(2, 3))


class DenoisingUNet(nn.Module):
    """`(B, inputs, X, Y)` to `(B, outputs, X, Y)`; skip connections, so that healthy detail survives.

    Two convolutions a level, averaging on the way down, learnt 2 x 2 up-sampling on the way up.

    Args:
        width: channels of the first level; each further one has twice as many.
        depth: levels.
        inputs, outputs: channels that go in and come out.

    References:
        Ronneberger et al. 2015, "U-Net", with padded and weight-standardised convolutions.
    """

    def __init__(self, *, width: int = 64, depth: int = 4, inputs: int = 1, outputs: int = 1) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(depth)]
        finer = widths[-2::-1]
        self.down = nn.ModuleList(_convolutions(a, b) for a, b in pairwise([inputs, *widths]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * channels, channels, 2, stride=2) for channels in finer)
        self.merge = nn.ModuleList(_convolutions(2 * channels, channels) for channels in finer)
        self.head = nn.Conv2d(width, outputs, 1)

    def forward(self, slices: Tensor) -> Tensor:
        x = self.down[0](slices)
        skips = []
        for convolutions in self.down[1:]:
            skips.append(x)
            x = convolutions(F.avg_pool2d(x, 2))
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), skips.pop()], dim=1))
        return self.head(x)


def check_halving(size: int, depth: int) -> None:
    """Refuse slices of `size` pixels that `depth` levels cannot halve evenly down to 2 pixels.

    Raises:
        BadValue: with what was expected.
    """
    unit = 2 ** (depth - 1)
    if size % unit or size < 2 * unit:
        raise BadValue(f"Got size {size}, expected a multiple of {unit}, {2 * unit} or more.")


class StandardisedConv(nn.Conv2d):
    """3 x 3 convolution over a mirrored border; each output channel's weights have mean 0 and deviation 1.

    References:
        Qiao et al. 2019, "Micro-batch training with batch-channel normalization and weight standardization".
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        std, mean = torch.std_mean(self.weight, dim=(1, 2, 3), keepdim=True)
        return F.conv2d(_mirrored(x), (self.weight - mean) / (std + 1e-5), self.bias)


class Swish(nn.Module):
    """x sigmoid(x), to within 3e-12."""

    def forward(self, x: Tensor) -> Tensor:
        # Standardised weights make inputs of -100 and less, whose gradients are subnormal numbers: a training
        # step would take a CPU five times as long.
        return F.silu(x.clamp(min=-30))


def _convolutions(inputs: int, outputs: int) -> nn.Sequential:
    """Twice convolution, swish and, after it, group normalisation, as in the released program."""
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        layers += [StandardisedConv(channels, outputs), Swish(), nn.GroupNorm(_groups(outputs), outputs)]
    return nn.Sequential(*layers)


def _groups(channels: int) -> int:
    """The middle one of the divisors of `channels`, the larger of two: 8, 16, 16, 32 for 64, 128, 256, 512."""
    divisors = [n for n in range(1, channels + 1) if channels % n == 0]
    return divisors[len(divisors) // 2]


def _mirrored(x: Tensor) -> Tensor:
    """One pixel more on each side, mirrored at the edge.

    Torch's own reflection padding adds up gradients in any order on a GPU: equal seeds would not give equal
    weights.
    """
    x = torch.cat([x[:, :, 1:2], x, x[:, :, -2:-1]], dim=2)
    return torch.cat([x[..., 1:2], x, x[..., -2:-1]], dim=3)

"""AE: convolutional auto-encoder with a dense latent; its encoder and decoder serve VAE and SVAE too."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from baselines.reconstruction import MEAN_RESIDUAL, SliceReconstruction
from baselines.trained_on_slices import QUICK, SMALL, TRAINING_DEPARTURES
from benchmark.methods import Card
from datasets.errors import BadValue

LATENT = 128
LARGEST_CODE = 8  # pixels along an edge at the bottleneck, as published for slices of 128
NARROW = 16  # channels of the bottleneck's 1 x 1 convolution
WIDEST = 4  # times the first stage's channels: 128 as published


class Encoder(nn.Module):
    """`(B, channels, size, size)` to `(B, features)`: halved by strided convolutions until 8 pixels or fewer.

    At a width of 32 these are 32, 64, 128, 128 channels for slices of 96, which end at 6 x 6; 32, 64, 128 for 48.
    """

    def __init__(self, size: int, width: int, channels: int = 1) -> None:
        super().__init__()
        self.edge, widths = _bottleneck(size, width)
        stages = [_down(a, b) for a, b in pairwise([channels, *widths])]
        self.layers = nn.Sequential(*stages, nn.Conv2d(widths[-1], NARROW, 1), nn.Flatten())
        self.features = NARROW * self.edge**2

    def forward(self, slices: Tensor) -> Tensor:
        return self.layers(slices)


class Decoder(nn.Module):
    """`(B, LATENT)` to `(B, channels, size, size)`: the encoder's mirror image with transposed convolutions."""

    def __init__(self, size: int, width: int, channels: int = 1) -> None:
        super().__init__()
        edge, widths = _bottleneck(size, width)
        widths = widths[::-1]
        stages = [_up(a, b) for a, b in pairwise([widths[0], *widths])]
        self.layers = nn.Sequential(
            nn.Linear(LATENT, NARROW * edge**2),
            nn.Unflatten(1, (NARROW, edge, edge)),
            nn.Conv2d(NARROW, widths[0], 1),
            *stages,
            nn.Conv2d(widths[-1], channels, 1),
        )

    def forward(self, codes: Tensor) -> Tensor:
        return self.layers(codes)


class AE(SliceReconstruction):
    """Auto-encoder in the unified architecture of Baur et al.: what does not fit through 128 numbers is anomalous.

    Taken from the study: 5 x 5 convolutions of stride 2 with batch normalisation and leaky ReLU,
    32 channels doubled up to 128, a 1 x 1 convolution to 16 channels around the dense latent of 128,
    a linear output, and the l1 loss (here the mean over all pixels, which only scales it). Not
    stated by the reference study, so chosen here: no dropout, slope 0.01, and the stop at 6 x 6
    pixels, because 96 cannot be halved to the study's 8 x 8.

    References:
        Baur et al.: Autoencoders for unsupervised anomaly segmentation in brain MR images: a
        comparative study. Medical Image Analysis 69, 2021. arXiv 2004.03271.
    """

    @dataclass(frozen=True)
    class Config(SliceReconstruction.Config):
        """The reference study's budget; `size` has to halve evenly until it is 8 pixels or fewer.

        Attributes:
            width: channels of the encoder's first stage and the decoder's last; further ones have up to four times
                as many.
        """

        width: int = 32

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.width < 1:
                raise BadValue(f"Got width {self.width}, expected 1 or more.")
            _bottleneck(self.size, self.width)

    card: ClassVar[Card] = Card(
        printed_name="AE",
        supervision="healthy scans",
        trained_on="Network weights, from axial slices of healthy scans.",
        tuned_on="Budget: the reference study; architecture: Baur et al. On which scans is not known.",
        references=(
            "Baur et al. 2021, arXiv 2004.03271",
            "Behrendt et al. 2023, arXiv 2312.04215, for the budget",
        ),
        departures=(
            *TRAINING_DEPARTURES,
            "The bottleneck of a slice of 96 is 6 x 6 pixels: the published 8 x 8 are not among its halves.",
            "No dropout, and a leaky ReLU of slope 0.01: neither is stated by the reference study.",
        ),
        several_sequences=f"{MEAN_RESIDUAL} They are the channels of one slice.",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": QUICK,
        "small": {**SMALL, "steps": 10_000, "width": 16},
    }
    config: Config

    def __init__(self, config: Config, *, channels: int = 1) -> None:
        super().__init__(config, channels=channels)
        self.encoder = Encoder(config.size, config.width, channels)
        self.to_code = nn.Linear(self.encoder.features, LATENT)
        self.decoder = Decoder(config.size, config.width, channels)

    def loss(self, slices: Tensor) -> Tensor:
        return nn.functional.l1_loss(self(slices), slices)

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        return self(slices)

    def forward(self, slices: Tensor) -> Tensor:
        """`(B, channels, size, size)` through the latent and back."""
        return self.decoder(self.to_code(self.encoder(slices)))

    @property
    def values_per_pixel(self) -> int:
        return values_per_pixel(self.config.width)


def values_per_pixel(width: int) -> int:
    """Numbers held while a slice is reconstructed: the decoder's last stage holds 3.5 times its channels, measured.

    A processor with AVX-512 computes narrower stages with 16 channels.
    """
    return 5 * max(width, 16)


def _bottleneck(size: int, width: int) -> tuple[int, list[int]]:
    """Pixels along the smallest edge, and the channels of each stage on the way there."""
    edge, channels = size, list[int]()
    while edge > LARGEST_CODE:
        if edge % 2:
            raise ValueError(f"Got size {size}, expected one that halves evenly to {LARGEST_CODE} or fewer pixels.")
        edge //= 2
        channels.append(min(2 ** len(channels), WIDEST) * width)
    if not channels:
        raise ValueError(f"Got size {size}, expected more than {LARGEST_CODE} pixels.")
    return edge, channels


def _down(inside: int, outside: int) -> nn.Sequential:
    convolution = nn.Conv2d(inside, outside, 5, stride=2, padding=2)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.LeakyReLU())


def _up(inside: int, outside: int) -> nn.Sequential:
    convolution = nn.ConvTranspose2d(inside, outside, 5, stride=2, padding=2, output_padding=1)
    return nn.Sequential(convolution, nn.BatchNorm2d(outside), nn.LeakyReLU())

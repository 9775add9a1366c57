"""DISYRE: a U-Net trained to undo foreign patches blended in at any strength, applied level after level."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import pi
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.autoencoders.dae import DenoisingUNet, check_halving
from baselines.reconstruction import ScoredReconstruction
from baselines.trained_on_slices import QUICK, SMALL, TRAINING_DEPARTURES
from benchmark.methods import Card, at_test
from benchmark.methods.detector import FLOAT32
from datasets.errors import BadValue

STEPS = 100  # corruption levels of the published schedule
BETAS = (1e-3, 0.2)  # of the first and the last step


class DISYRE(ScoredReconstruction):
    """Restoration of gradually corrupted slices.

    A slice x_0 is corrupted to the level alpha in [0, 1] by a foreign patch p inside a shape m:

        x_alpha = (1 - alpha m) x_0 + alpha m p

    The network r predicts x_0 from x_alpha and alpha. The test slice is taken for the most corrupted one, and led
    down the levels 1 > a_1 > ... > a_L > 0 by

        x_(a_(i+1)) = r(x_(a_i)) + a_(i+1) / a_i (x_(a_i) - r(x_(a_i)))

    The anomaly score is the mean of |x_(a_i) - r(x_(a_i))| over the levels. With one level that is the residual of a
    single prediction (`levels=1`).

    References:
        Naval Marimont, Baugh, Siomos, Tzelepis, Kainz, Tarroni 2024, "DISYRE: Diffusion-inspired synthetic
        restoration for unsupervised anomaly detection", ISBI, arXiv 2311.15453, and its released program.
    """

    @dataclass(frozen=True)
    class Config(ScoredReconstruction.Config):
        """Network, corruption, and the levels of the test.

        Attributes:
            width: channels at full resolution; each level doubles them and halves the resolution.
            depth: levels of the network.
            corrupted: share of the training slices that get a foreign patch; the others are to be left alone.
            largest: longest half axis of a patch, as a share of the slice's edge.
            levels: corruption levels visited in the test, 1..100, spread evenly over the schedule; 1 for one
                prediction at the highest.
        """

        width: int = 64
        depth: int = 4
        corrupted: float = 0.3
        largest: float = 0.25
        levels: int = at_test(STEPS)

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("width", "depth"):
                if getattr(self, name) < 1:
                    raise BadValue(f"Got {name} {getattr(self, name)}, expected 1 or more.")
            for name in ("corrupted", "largest"):
                share = getattr(self, name)
                if not 0 < share <= 1:
                    raise BadValue(f"Got {name} {share:g}, expected a share of more than 0 and at most 1.")
            if not 1 <= self.levels <= STEPS:
                raise BadValue(f"Got levels {self.levels}, expected 1..{STEPS}.")
            check_halving(self.size, self.depth)

    card: ClassVar[Card] = Card(
        printed_name="DISYRE",
        supervision="healthy scans",
        trained_on=(
            "To take patches of other slices, blended in at any strength, out of axial slices of healthy scans; the "
            "best healthy validation loss is kept."
        ),
        tuned_on=(
            "Schedule, share of corrupted slices and largest patch: the released program. Its authors compare kinds of "
            "synthetic anomalies on labelled lesions, which may have chosen them. Network and budget: the reference "
            "study's for dae."
        ),
        references=(
            "Naval Marimont et al. 2024, DISYRE: Diffusion-inspired synthetic restoration for unsupervised anomaly "
            "detection, ISBI, arXiv 2311.15453 (corruption, restoration, score)",
            "Bansal et al. 2023, Cold diffusion: Inverting arbitrary image transforms without noise, arXiv 2208.09392, "
            "algorithm 2 (from level to level)",
            "Tan et al. 2022, Detecting outliers with foreign patch interpolation, arXiv 2011.04197",
            "Kascenas et al. 2022, MIDL, PMLR 172:653-664 (the U-Net)",
        ),
        departures=(
            *TRAINING_DEPARTURES,
            "The network is DAE's U-Net, which is told alpha by a second input plane; the published one is a "
            "diffusion U-Net with a time embedding.",
            "A patch is an ellipse of random axes and direction around a voxel of the brain, filled from another slice "
            "of the batch, moved and mirrored; the published shapes and cache of patches are not taken over.",
            "Whole slices of 96 pixels go in, not windows of 128; budget (19,200 steps of 32) and augmentation are "
            "the reference study's, where the program takes 100,000 steps of 96 (steps, batch_size, augment).",
            "Plain l2 loss over all pixels.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        # In so few steps patches in a third of the slices teach nearly nothing: the loss is that of the others.
        "quick": {**QUICK, "width": 16, "corrupted": 1.0, "levels": 10},
        "small": {**SMALL, "steps": 2_500, "width": 16, "corrupted": 1.0, "levels": 10},
    }
    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.unet = DenoisingUNet(width=config.width, depth=config.depth, inputs=2)

    @property
    def values_per_pixel(self) -> int:
        """DAE's bound, and a few slices beside the network's."""
        return 12 * self.config.width + 8

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """Plus two copies of the largest weight, made while it is standardised."""
        largest = max(weight.numel() for weight in self.parameters())
        return super().memory_bound(shape, volumes) + 2 * FLOAT32 * largest

    def loss(self, slices: Tensor) -> Tensor:
        """Mean squared error of x_0 over all pixels, of slices of which a share is corrupted."""
        batch = len(slices)
        alpha = torch.rand(batch, device=slices.device)
        alpha = alpha * (torch.rand(batch, device=slices.device) < self.config.corrupted)
        shapes = random_ellipses(slices > 0, largest=self.config.largest)
        return F.mse_loss(self(corrupted(slices, foreign(slices), shapes, alpha), alpha), slices)

    def restore(self, slices: Tensor, *, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Mean residual over the levels, and the slices after the last, in [0, 1]; `seeds` are not used."""
        x, scores = slices, torch.zeros_like(slices)
        for alpha, lower in pairwise([*corruption_levels(self.config.levels), 0.0]):
            clean = self(x, x.new_full((len(x),), alpha))
            residual = x - clean
            scores += residual.abs()
            x = (clean + lower / alpha * residual).clamp(0, 1)
        return scores / self.config.levels, x

    def forward(self, slices: Tensor, alpha: Tensor) -> Tensor:
        """x_0 `(B, 1, X, Y)` from slices corrupted to the levels `alpha` `(B,)`."""
        plane = alpha.to(slices.dtype)[:, None, None, None].expand_as(slices)
        return self.unet(torch.cat([slices, plane], dim=1))


def corruption_levels(count: int) -> list[float]:
    """`count` levels alpha, descending from nearly 1 and spread evenly over the steps of the schedule.

    alpha_t = sqrt((1 - beta_1) ... (1 - beta_(T - t + 1))), with beta linear from 0.001 to 0.2 in T = 100 steps.
    """
    betas = torch.linspace(*BETAS, STEPS, dtype=torch.float64)
    descending = torch.cumprod(1 - betas, dim=0).sqrt().tolist()
    return [descending[round(index * STEPS / count)] for index in range(count)]


def corrupted(slices: Tensor, patches: Tensor, shapes: Tensor, alpha: Tensor) -> Tensor:
    """`patches` blended into `slices` inside `shapes` (bool), all `(B, 1, X, Y)`, with the strengths `alpha` `(B,)`."""
    return torch.where(shapes, torch.lerp(slices, patches, alpha[:, None, None, None]), slices)


def foreign(slices: Tensor) -> Tensor:
    """For each of `(B, 1, X, Y)` slices the next one, the batch moved by one random shift and mirrored or not."""
    shift = [int(torch.randint(-length // 4, length // 4 + 1, ())) for length in slices.shape[2:]]
    moved = slices.roll((1, *shift), dims=(0, 2, 3))
    return moved.flip(2) if torch.rand(()) < 0.5 else moved


def random_ellipses(foreground: Tensor, *, largest: float) -> Tensor:
    """One ellipse for each of `(B, 1, X, Y)` bool foregrounds, cut to it; as the foreground, bool.

    Centres are uniform over the foreground, half axes between a sixth of the longest and that, directions uniform.

    Args:
        largest: longest half axis, as a share of the slice's edge.
    """
    batch, _, x, y = foreground.shape
    device = foreground.device
    anywhere = torch.finfo(torch.float32).tiny  # for a slice without foreground
    centre = torch.multinomial(foreground.flatten(1).float() + anywhere, 1)  # (B, 1)
    axes = largest * max(x, y) * (1 / 6 + 5 / 6 * torch.rand(batch, 2, device=device))
    angle = pi * torch.rand(batch, 1, 1, device=device)
    dx = torch.arange(x, device=device)[:, None] - (centre // y)[:, :, None]  # (B, X, 1)
    dy = torch.arange(y, device=device)[None, :] - (centre % y)[:, :, None]  # (B, 1, Y)
    along, across = dx * angle.cos() + dy * angle.sin(), dy * angle.cos() - dx * angle.sin()
    inside = (along / axes[:, :1, None]) ** 2 + (across / axes[:, 1:, None]) ** 2 <= 1
    return inside[:, None] & foreground

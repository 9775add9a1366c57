"""DDPM: noises a slice half-way; a diffusion model of healthy slices predicts the clean slice in one step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.checkpoints.published import WithPublishedWeights
from baselines.diffusion.noise import gaussian_noise, simplex_noise
from baselines.diffusion.schedule import STEPS, cosine_alpha_bar, one_step
from baselines.diffusion.unet import UNet
from baselines.trained_on_slices import QUICK, SMALL, TRAINING_DEPARTURES
from benchmark.methods import Card, at_test
from datasets.errors import BadValue

NOISE: Mapping[str, Callable[..., Tensor]] = {"simplex": simplex_noise, "gaussian": gaussian_noise}


class DDPM(WithPublishedWeights):
    """Reconstruction from one noise level, or the mean over several.

    References:
        Ho et al. 2020 (DDPM); Wyatt et al. 2022 (AnoDDPM: simplex noise); Behrendt et al. 2023,
        arXiv 2312.04215, for this recipe.
    """

    @dataclass(frozen=True)
    class Config(WithPublishedWeights.Config):
        """Network, noise, and the noise levels of the test.

        Attributes:
            width: channels at full resolution, a multiple of `groups`.
            multipliers: of the width, one a level; each level after the first has half the resolution.
            residual_blocks: blocks a level on the way down.
            heads: of the attention block.
            groups: of the group normalisations.
            stem_stride: edge of the squares of pixels that enter and leave the network as channels of one pixel, so
                that it works at 1 / stem_stride of the resolution.
            noise: what the slices are mixed with, in training and test.
            noise_field: one field for every slice, or, as published, one for a whole training batch and
                for all slices of a test volume.
            t_test: noise level of the test, 1..1000.
            ensemble: average over `ensemble_steps` instead of `t_test` alone.
        """

        width: int = 128
        multipliers: tuple[int, ...] = (1, 2, 2)
        residual_blocks: int = 3
        heads: int = 4
        groups: int = 32
        stem_stride: int = 1
        noise: Literal["simplex", "gaussian"] = "simplex"
        noise_field: Literal["slice", "shared"] = "slice"
        t_test: int = at_test(500)
        ensemble: bool = at_test(False)
        ensemble_steps: tuple[int, ...] = at_test((250, 500, 750))

        def __post_init__(self) -> None:
            super().__post_init__()
            levels = len(self.multipliers)
            if not self.ensemble_steps or not all(1 <= t <= STEPS for t in (self.t_test, *self.ensemble_steps)):
                got = f"t_test {self.t_test} and ensemble_steps {self.ensemble_steps}"
                raise BadValue(f"Got {got}, expected noise levels in 1..{STEPS}.")
            default = type(self)
            if self.ensemble and self.t_test != default.t_test:
                raise BadValue(f"Got t_test {self.t_test}, which does nothing while ensemble is true: set it to false.")
            if not self.ensemble and self.ensemble_steps != default.ensemble_steps:
                got = f"Got ensemble_steps {self.ensemble_steps}"
                raise BadValue(f"{got}, which do nothing while ensemble is false: set it to true.")
            if self.stem_stride < 1:
                raise BadValue(f"Got stem_stride {self.stem_stride}, expected 1 or more.")
            for name, divisor in (("width", self.groups), ("size", self.stem_stride * 2 ** (levels - 1))):
                if getattr(self, name) % divisor:
                    raise BadValue(f"Got {name} {getattr(self, name)}, expected a multiple of {divisor}.")

    card: ClassVar[Card] = Card(
        printed_name="DDPM",
        supervision="healthy scans",
        trained_on=(
            "To predict axial slices of healthy scans from noised ones; the best healthy validation loss is kept."
        ),
        tuned_on=(
            "The reference study's recipe. It reports Dice against the noise level of the test on its lesion cohorts, "
            "so their labels may have chosen t = 500."
        ),
        references=(
            "Ho et al. 2020, Denoising diffusion probabilistic models, arXiv 2006.11239, eq. 4",
            "Nichol and Dhariwal 2021, Improved denoising diffusion probabilistic models, arXiv 2102.09672, eq. 17",
            "Wyatt et al. 2022, AnoDDPM: Anomaly detection with denoising diffusion probabilistic models using "
            "simplex noise, CVPR Workshops",
            "Behrendt et al. 2023, Guided reconstruction with conditioned diffusion models for unsupervised anomaly "
            "detection in brain MRIs, arXiv 2312.04215",
        ),
        departures=(
            *TRAINING_DEPARTURES,
            "Each slice has a noise field of its own, from a counter-based generator, so that no map depends on its "
            "neighbours; noise_field='shared' brings one field a batch and a volume back.",
            "Learning rate 1e-4 as in the released program; the paper's text says 1e-5 (learning_rate).",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            **QUICK,
            "steps": 300,
            "width": 16,
            "multipliers": (1, 2, 4),
            "residual_blocks": 1,
            "heads": 2,
            "groups": 8,
        },
        "small": {
            **SMALL,
            "steps": 2_500,
            "width": 24,
            "residual_blocks": 1,
            "heads": 2,
            "groups": 8,
            "stem_stride": 2,
        },
    }
    config: Config
    alpha_bar: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.unet = UNet(
            width=config.width,
            multipliers=config.multipliers,
            residual_blocks=config.residual_blocks,
            heads=config.heads,
            groups=config.groups,
            code=self.code_length,
            stem_stride=config.stem_stride,
        )
        self.register_buffer("alpha_bar", cosine_alpha_bar().float(), persistent=False)

    def loss(self, slices: Tensor) -> Tensor:
        """Mean absolute error of the predicted x_0, noise levels uniform in 1..1000."""
        batch = len(slices)
        t = torch.randint(1, STEPS + 1, (batch,), device=slices.device)
        seeds = torch.randint(2**63 - 1, (batch,), device=slices.device)
        if self.config.noise_field == "shared":
            seeds = seeds[:1].expand(batch)
        clean = 2 * slices - 1
        return self.denoising_loss(clean, self.noise(seeds, clean), t, self.code(slices))

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        """One denoising step from each noise level and the mean over them, `(B, 1, X, Y)`, not clamped to [0, 1]."""
        clean, code = 2 * slices - 1, self.code(slices)
        fields = [self.noise(seeds, clean, stream=step) for step in self.test_steps]
        predict = self._stacked if self.stacks_passes else self._one_by_one
        return (predict(clean, fields, code).mean(dim=0) + 1) / 2

    @property
    def test_steps(self) -> tuple[int, ...]:
        """Noise levels of the test."""
        return self.config.ensemble_steps if self.config.ensemble else (self.config.t_test,)

    @property
    def stacks_passes(self) -> bool:
        """Whether all noise levels, and all patches, of a slice go through the network at once.

        On a GPU, which few slices alone would not fill. On a CPU it would take several times the memory and no
        less time.
        """
        return self.device.type == "cuda"

    @property
    def passes(self) -> int:
        """Of the network, to reconstruct a slice."""
        return len(self.test_steps)

    def _one_by_one(self, clean: Tensor, fields: Sequence[Tensor], code: Tensor | None) -> Tensor:
        """x_0 `(L, B, 1, X, Y)` from each of L noise levels, a pass of the network each."""
        levels = zip(self.test_steps, fields, strict=True)
        return torch.stack([self.predicted(clean, field, _all_at(step, clean), code) for step, field in levels])

    def _stacked(self, clean: Tensor, fields: Sequence[Tensor], code: Tensor | None) -> Tensor:
        """The same, in one pass."""
        levels = len(fields)
        t = torch.cat([_all_at(step, clean) for step in self.test_steps])
        codes = None if code is None else code.repeat(levels, 1)
        stacked = self.predicted(clean.repeat(levels, 1, 1, 1), torch.cat(list(fields)), t, codes)
        return stacked.unflatten(0, (levels, -1))

    @property
    def values_per_pixel(self) -> int:
        """The U-Net's skip connections, three of its widest concatenations and three attention matrices.

        Measured: 1.3 to 1.7 times the peak on a CPU, where the attention matrices are held.
        """
        config = self.config
        levels = len(config.multipliers)
        coarser = (*config.multipliers[1:], config.multipliers[-1])
        joined = [max(own + below, 2 * own) for own, below in zip(config.multipliers, coarser, strict=True)]
        handed_across = sum(
            (config.residual_blocks + 1) * own / 4**level for level, own in enumerate(config.multipliers)
        )
        widest = max(channels / 4**level for level, channels in enumerate(joined))
        pixels = 1 / config.stem_stride**2  # that the network sees, for each of a slice's
        attention = config.heads * (pixels * config.size) ** 2 / 16 ** (levels - 1)
        a_pass = pixels * config.width * (handed_across + 3 * widest) + 3 * attention
        return ceil(a_pass * (self.passes if self.stacks_passes else 1))

    def slice_seeds(self, seeds: Tensor, depth: int) -> Tensor:
        """`(N, depth)`: with a shared noise field all slices of a volume have the volume's seed."""
        if self.config.noise_field == "shared":
            return seeds[:, None].expand(-1, depth)
        return super().slice_seeds(seeds, depth)

    @property
    def code_length(self) -> int | None:
        """Length of the conditioning code; None where nothing conditions the network."""
        return None

    def code(self, slices: Tensor) -> Tensor | None:
        """Conditioning code of the clean `(B, 1, X, Y)` slices in [0, 1]; None here."""
        return None

    def noise(self, seeds: Tensor, like: Tensor, *, stream: int = 0) -> Tensor:
        """Fields `(B, 1, X, Y)` of the configured kind, one a seed, sized as `like`."""
        return NOISE[self.config.noise](seeds, (like.shape[2], like.shape[3]), stream=stream)

    def denoising_loss(self, clean: Tensor, noise: Tensor, t: Tensor, code: Tensor | None) -> Tensor:
        """Mean absolute error of x_0, predicted from `clean` `(B, 1, X, Y)` in [-1, 1] noised to `t` `(B,)`."""
        return F.l1_loss(self.predicted(clean, noise, t, code), clean)

    def predicted(self, clean: Tensor, noise: Tensor, t: Tensor, code: Tensor | None) -> Tensor:
        """x_0 `(B, 1, X, Y)`, in one step from `clean` in [-1, 1] noised to `t` `(B,)`."""
        return one_step(partial(self.unet, code=code), clean, noise, t, self.alpha_bar)


def _all_at(step: int, slices: Tensor) -> Tensor:
    """`(B,)` int64: every slice at one noise level."""
    return torch.full((len(slices),), step, device=slices.device)

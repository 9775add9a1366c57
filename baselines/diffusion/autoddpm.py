"""AutoDDPM: a fitted DDPM finds what is anomalous, and fills it in from the rest of the slice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count, pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.schedule import STEPS, add_noise, cosine_alpha_bar, posterior_draw
from baselines.reconstruction import ScoredReconstruction
from benchmark.methods import Card, at_test
from datasets.errors import BadValue


class AutoDDPM(ScoredReconstruction, DDPM):
    """Mask, stitch and re-sample with the weights of `ddpm`; nothing of its own is trained.

    1. Mask: the slice x is noised to `t_test` and sampled back, which gives a pseudo-healthy slice h. The likelihood of
       an anomaly is l = min(|x - h| / q, 1), where q is the quantile of |x - h| over the brain that leaves the share
       `masked` above it. The mask m is where l = 1, dilated by a pixel.
    2. Stitch and re-sample: h is noised to `t_fuse` and sampled back, while outside of m each step from t to s takes x,
       noised to s, instead. A step is repeated `resamplings` times, each time from its result noised back to t, so that
       both parts agree. The last step leaves x outside of m as it is.
    3. The anomaly score is |x - x_fused| l.

    References:
        Bercea, Neumayr, Rueckert, Schnabel 2023, "Mask, stitch, and re-sample: Enhancing robustness and
        generalizability in anomaly detection through automatic diffusion models", ICML workshop on interpretable
        machine learning in healthcare, arXiv 2305.19643, and its released program.
    """

    @dataclass(frozen=True)
    class Config(DDPM.Config):
        """A DDPM's, and how slices are masked and filled in.

        Attributes:
            t_test: noise level from which the pseudo-healthy slice is sampled.
            mask_steps: steps of that, spread evenly over 0..t_test; all of them as published.
            masked: share of a slice's brain that is filled in, before the mask is dilated.
            t_fuse: noise level from which the masked part is filled in.
            fuse_steps: steps of that.
            resamplings: times that each of them is taken.
        """

        t_test: int = at_test(200)
        mask_steps: int = at_test(200)
        masked: float = at_test(0.05)
        t_fuse: int = at_test(50)
        fuse_steps: int = at_test(50)
        resamplings: int = at_test(5)

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.ensemble:
                raise BadValue("Got ensemble true, which does nothing here: set it to false.")
            if not 0 < self.masked < 1:
                raise BadValue(f"Got masked {self.masked:g}, expected a share between 0 and 1.")
            if not 1 <= self.t_fuse <= STEPS:
                raise BadValue(f"Got t_fuse {self.t_fuse}, expected a noise level in 1..{STEPS}.")
            for name, most in (("mask_steps", self.t_test), ("fuse_steps", self.t_fuse), ("resamplings", STEPS)):
                if not 1 <= getattr(self, name) <= most:
                    raise BadValue(f"Got {name} {getattr(self, name)}, expected 1..{most}.")

    trained_as: ClassVar[str] = "ddpm"
    card: ClassVar[Card] = replace(
        DDPM.card,
        printed_name="AutoDDPM",
        trained_on=f"Nothing of its own: the weights are those of ddpm with the same config. {DDPM.card.trained_on}",
        tuned_on=(
            "Noise levels and re-samplings: the released program, whose authors test on strokes of ATLAS. The mask's "
            "share is its per-scan default; no label of ours was looked at. ddpm's recipe: the reference study."
        ),
        references=(
            "Bercea et al. 2023, Mask, stitch, and re-sample: Enhancing robustness and generalizability in anomaly "
            "detection through automatic diffusion models, ICML IMLH, arXiv 2305.19643",
            "Lugmayr et al. 2022, RePaint: Inpainting using denoising diffusion probabilistic models, "
            "arXiv 2201.09865, algorithm 1",
            *DDPM.card.references,
        ),
        departures=(
            *DDPM.card.departures,
            "The diffusion model is ours: it predicts x_0, under a cosine schedule, with simplex noise; the published "
            "one predicts Gaussian noise under a linear schedule (noise='gaussian' takes ddpm[noise=gaussian]).",
            "The likelihood is the residual alone. The published one multiplies it with LPIPS, a network trained on "
            "photographs, which this project leaves out.",
            "The mask is the 5 % of each slice's brain with the largest residual, as the program does where no "
            "threshold is given; the paper takes one with 5 % false positives on healthy scans (masked).",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {**values, "mask_steps": 10, "fuse_steps": 5, "resamplings": 2} for name, values in DDPM.presets.items()
    }
    config: Config

    @property
    def stacks_passes(self) -> bool:
        """Never: a pass needs the one before."""
        return False

    @property
    def passes(self) -> int:
        config = self.config
        return config.mask_steps + (config.fuse_steps - 1) * config.resamplings + 1

    @property
    def values_per_pixel(self) -> int:
        """A pass of the network, and the slices and noise fields between two of them."""
        return super().values_per_pixel + 40

    def restore(self, slices: Tensor, *, seeds: Tensor) -> tuple[Tensor, Tensor]:
        fields = self._noise_fields(seeds, slices)
        clean, config = 2 * slices - 1, self.config
        healthy = self._sampled_back(clean, fields).clamp(-1, 1)
        likelihood = self._likelihood((clean - healthy).abs(), slices > 0)
        mask = F.max_pool2d((likelihood == 1).float(), 3, stride=1, padding=1) > 0
        levels = noise_levels(config.t_fuse, config.fuse_steps)
        x = self._noised(healthy, next(fields), config.t_fuse)
        for t, lower in pairwise(levels):
            repeats = config.resamplings if lower else 1
            for repeat in range(repeats):
                known = self._noised(clean, next(fields), lower)
                x = torch.where(mask, self._step(x, t, lower, next(fields)), known)
                if repeat + 1 < repeats:
                    x = add_noise(x, next(fields), (self._kept(t) / self._kept(lower)).expand(len(x)))
        fused = (x + 1) / 2
        return (slices - fused).abs() * likelihood, fused

    def _sampled_back(self, clean: Tensor, fields: Iterator[Tensor]) -> Tensor:
        """A slice noised to `t_test` and sampled back to t = 0."""
        levels = noise_levels(self.config.t_test, self.config.mask_steps)
        x = self._noised(clean, next(fields), levels[0])
        for t, lower in pairwise(levels):
            x = self._step(x, t, lower, next(fields))
        return x

    def _step(self, x: Tensor, t: int, lower: int, noise: Tensor) -> Tensor:
        """From x_t to a draw of x_s, s = `lower`; the predicted x_0 is kept in [-1, 1]."""
        index = torch.full((len(x),), t - 1, device=x.device)
        x = x.clone(
            memory_format=torch.contiguous_format
        )  # of one layout at every step, for which networks are compiled
        clean = self.unet(x, index).clamp(-1, 1)
        kept, lower_kept = (_kept_shares()[level] for level in (t, lower))
        return posterior_draw(x, clean, noise, alpha_bar=kept, lower_alpha_bar=lower_kept)

    def _noised(self, clean: Tensor, noise: Tensor, t: int) -> Tensor:
        return add_noise(clean, noise, self._kept(t).expand(len(clean)))

    def _kept(self, t: int) -> Tensor:
        """alpha-bar at t, 1 at t = 0."""
        return self.alpha_bar[t - 1] if t else self.alpha_bar.new_ones(())

    def _likelihood(self, residual: Tensor, brain: Tensor) -> Tensor:
        """`(B, 1, X, Y)` in [0, 1], 0 outside the brain; 1 in the share `masked` of it with the largest residual."""
        inside = torch.where(brain, residual, 0.0).flatten(1)
        count = (self.config.masked * brain.flatten(1).sum(dim=1)).ceil().long().clamp(min=1)
        descending = inside.sort(dim=1, descending=True).values
        highest = descending.gather(1, count[:, None] - 1).clamp(min=torch.finfo(inside.dtype).tiny)
        return (inside / highest).clamp(max=1).view_as(residual)

    def _noise_fields(self, seeds: Tensor, like: Tensor) -> Iterator[Tensor]:
        """Fields without end, each independent of all before and of those of a DDPM's test."""
        return (self.noise(seeds, like, stream=stream) for stream in count(STEPS + 1))


def noise_levels(highest: int, steps: int) -> list[int]:
    """From `highest` down to 0 in `steps` steps, at most `highest`, as even as whole numbers are."""
    return [round(highest * left / steps) for left in range(steps, -1, -1)]


@lru_cache(maxsize=1)
def _kept_shares() -> list[float]:
    """alpha-bar at t = 0..1000 on the host: read off a GPU it would wait for what is queued there."""
    return [1.0, *cosine_alpha_bar().float().tolist()]

"""PDDPM: a DDPM that denoises one patch of a slice at a time and sees the rest of it clean."""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.schedule import one_step
from benchmark.methods import Card
from datasets.errors import BadValue


class PDDPM(DDPM):
    """Patched DDPM: only a patch is noised, and outside of it the output is the input.

    References:
        Behrendt et al. 2023, "Patched diffusion models for unsupervised anomaly detection in brain MRI", MIDL,
        arXiv 2303.03758.
    """

    @dataclass(frozen=True)
    class Config(DDPM.Config):
        """A DDPM's, and the patches.

        Attributes:
            grid: `(grid, grid)` patches tile the slice; 1 is a plain DDPM.
            positions: of the patch that is noised in training: drawn from the grid, or anywhere in the slice.
        """

        grid: int = 2
        positions: Literal["grid", "anywhere"] = "grid"

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.grid < 1 or self.size % self.grid:
                raise BadValue(f"Got grid {self.grid}, expected a divisor of size {self.size}.")

    card: ClassVar[Card] = replace(
        DDPM.card,
        printed_name="pDDPM",
        trained_on=(
            "To predict a patch of axial slices of healthy scans from the patch noised and the rest clean; the best "
            "healthy validation loss is kept."
        ),
        references=(
            "Behrendt et al. 2023, Patched diffusion models for unsupervised anomaly detection in brain MRI, MIDL, "
            "arXiv 2303.03758",
            *DDPM.card.references,
        ),
        departures=(
            *DDPM.card.departures,
            "positions='anywhere' draws patches inside the slice; those of the released program may run off its edge.",
        ),
    )
    config: Config

    def denoising_loss(self, clean: Tensor, noise: Tensor, t: Tensor, code: Tensor | None) -> Tensor:
        """Mean absolute error over the pixels of one random patch a slice."""
        inside = self._inside(self._random_corners(clean), clean)
        restored = self._with_patch_restored(inside, clean, noise, t, code)
        return F.l1_loss(restored, clean) * self.config.grid**2  # the error outside is 0

    def predicted(self, clean: Tensor, noise: Tensor, t: Tensor, code: Tensor | None) -> Tensor:
        """x_0 `(B, 1, X, Y)`, stitched from the patches of the grid, all cut from one noise field."""
        if self.stacks_passes:
            return self._stitched_at_once(clean, noise, t, code)
        stitched = clean
        for corner in self._grid_corners(clean):
            inside = self._inside(corner, clean)
            stitched = torch.where(inside, self._with_patch_restored(inside, clean, noise, t, code), stitched)
        return stitched

    @property
    def passes(self) -> int:
        return super().passes * self.config.grid**2

    def _stitched_at_once(self, clean: Tensor, noise: Tensor, t: Tensor, code: Tensor | None) -> Tensor:
        """The same by one pass over all patches of all slices."""
        batch = len(clean)
        corners = self._grid_corners(clean)[:, 0]  # (P, 2)
        patches = len(corners)
        inside = self._inside(corners.repeat_interleave(batch, dim=0), clean)  # (P * B, 1, X, Y)
        repeated, noises = (one.repeat(patches, 1, 1, 1) for one in (clean, noise))
        codes = None if code is None else code.repeat(patches, 1)
        restored = self._with_patch_restored(inside, repeated, noises, t.repeat(patches), codes)
        whole = torch.where(inside, restored, 0).unflatten(0, (patches, batch))
        return whole.sum(dim=0)  # each pixel is in one patch

    @property
    def patch_size(self) -> int:
        """Pixels along a patch's edge."""
        return self.config.size // self.config.grid

    def _with_patch_restored(
        self, inside: Tensor, clean: Tensor, noise: Tensor, t: Tensor, code: Tensor | None
    ) -> Tensor:
        """`clean` with x_0 as the network predicts it where `inside` `(B or 1, 1, X, Y)` is true."""

        def network(noised: Tensor, index: Tensor) -> Tensor:
            return torch.where(inside, self.unet(torch.where(inside, noised, clean), index, code), clean)

        return one_step(network, clean, noise, t, self.alpha_bar)

    def _grid_corners(self, like: Tensor) -> Tensor:
        """First pixels of all patches, `(grid ** 2, 1, 2)`."""
        edge = torch.arange(self.config.grid, device=like.device) * self.patch_size
        return torch.cartesian_prod(edge, edge)[:, None]

    def _random_corners(self, like: Tensor) -> Tensor:
        """First pixel of one patch a slice, `(B, 2)`."""
        shape, device = (len(like), 2), like.device
        if self.config.positions == "grid":
            return self.patch_size * torch.randint(self.config.grid, shape, device=device)
        return torch.randint(self.config.size - self.patch_size + 1, shape, device=device)

    def _inside(self, corners: Tensor, like: Tensor) -> Tensor:
        """`(B, 1, X, Y)` bool: pixels of the patches that begin at `corners` `(B, 2)`."""
        offsets = torch.arange(self.config.size, device=like.device) - corners[..., None]  # (B, 2, size)
        x, y = ((offsets >= 0) & (offsets < self.patch_size)).unbind(dim=1)
        return (x[:, :, None] & y[:, None, :])[:, None]

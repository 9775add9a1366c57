"""SliceReconstruction: slices in, reconstruction out; training by Lightning."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from baselines.seeding import mix_seeds, seeded
from benchmark.detector import Detector
from datasets.case import Case


class SliceReconstruction(Detector):
    """A detector whose anomaly map is |image - reconstruction|, made axial slice by axial slice.

    Slices of all volumes are folded into batches of exactly `slice_batch`, the last one padded, so
    that no map depends on its neighbours. Slices without any brain are left out; their
    reconstruction is 0.

    A subclass builds its networks in `__init__`; `fit` draws their weights anew under its seed.

    Attributes:
        slice_batch: slices reconstructed at once.
        loader_workers: processes that draw and augment training slices, 0 for this one; None for all
            cores where a GPU would wait for augmented slices, else 0. Weights do not depend on it.
    """

    @dataclass(frozen=True)
    class Config:
        """Training budget; one step is one batch of slices.

        Attributes:
            size: slices are `(size, size)` pixels.
            augment: blur, bias field, gamma and ghosting by torchio's defaults, on the volume.
            precision: of the forward pass in training, by autocast.
            validate_every: steps between two looks at the healthy validation cases; None for
                twenty looks in all. The weights of the best look are kept.
        """

        size: int = 96
        steps: int = 19_200
        batch_size: int = 32
        learning_rate: float = 1e-4
        precision: Literal["fp32", "bf16", "fp16"] = "fp32"
        augment: bool = True
        validate_every: int | None = None

        def __post_init__(self) -> None:
            for name in ("steps", "batch_size", "validate_every"):
                value = getattr(self, name)
                if value is not None and value < 1:
                    raise ValueError(f"Got {name} {value}, wanted 1 or more.")
            if self.learning_rate <= 0:
                raise ValueError(f"Got learning_rate {self.learning_rate:g}, wanted more than 0.")

    config: Any
    slice_batch: int = 32
    loader_workers: int | None = None

    @abstractmethod
    def loss(self, slices: Tensor) -> Tensor:
        """Training loss of `(B, 1, X, Y)` slices in [0, 1]; draws from torch's global generators."""

    @abstractmethod
    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        """Healthy counterpart `(B, 1, X, Y)` of slices; slice i may use randomness of `seeds[i]` (int64) only."""

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Draw weights, pre-train, train, and keep the weights with the best healthy validation loss.

        Raises:
            ValueError: slices are not of `config.size`, or one of the cohorts is empty.
            FloatingPointError: the validation loss is NaN or infinite.
        """
        # Lightning takes seconds to import, and nothing but training needs it.
        from baselines.training import train_on_slices

        with seeded(seed, self.device):
            self.load_state_dict(type(self)(self.config).state_dict())
            self.pretrain(train, val, seed=seed, workdir=workdir)
            train_on_slices(self, train, val, seed=seed, workdir=workdir)
        self.eval()

    def pretrain(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """What a method learns between drawing its weights and training them; nothing by default."""

    def optimizer(self) -> Optimizer:
        """Steps on all weights, by the batch."""
        return Adam(self.parameters(), lr=self.config.learning_rate)

    def slice_seeds(self, seeds: Tensor, depth: int) -> Tensor:
        """`(N, depth)` int64, one a slice, from the cases' `(N,)`; override to share randomness among slices."""
        return mix_seeds(seeds[:, None], torch.arange(depth, device=seeds.device))

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[0]

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """The network's own output `(N, 1, X, Y, Z)` float32, neither clamped nor masked."""
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[1]

    def map_and_reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """|image - reconstruction| inside the brain, 0 outside; and the reconstruction.

        Raises:
            ValueError: slices are not of `config.size`.
        """
        check_size(images.shape, self.config.size)
        with torch.no_grad():
            reconstruction = self._reconstruct_volumes(images, brain_masks, seeds)
            return torch.where(brain_masks, (images - reconstruction).abs(), 0.0), reconstruction

    def _reconstruct_volumes(self, images: Tensor, brain_masks: Tensor, seeds: Tensor) -> Tensor:
        depth = images.shape[-1]
        slices = images.permute(0, 4, 1, 2, 3).flatten(0, 1)  # (N Z, 1, X, Y)
        slice_seeds = self.slice_seeds(seeds, depth).flatten()  # (N Z,)
        with_brain = brain_masks.any(dim=1).any(dim=1).any(dim=1).flatten().nonzero()[:, 0]
        result = torch.zeros_like(slices, dtype=torch.float32)
        for start in range(0, len(with_brain), self.slice_batch):
            batch = with_brain[start : start + self.slice_batch]
            padded = torch.cat([batch, batch[-1:].expand(self.slice_batch - len(batch))])
            reconstructed = self.reconstruct(slices[padded], seeds=slice_seeds[padded])
            result[batch] = reconstructed[: len(batch)].float()
        return result.unflatten(0, (-1, depth)).permute(0, 2, 3, 4, 1).contiguous()  # (N, 1, X, Y, Z)


def check_size(shape: Sequence[int], size: int) -> None:
    """Refuse `(..., X, Y, Z)` volumes whose slices are not `(size, size)`.

    Raises:
        ValueError: X or Y differs from `size`.
    """
    x, y = shape[-3], shape[-2]
    if (x, y) != (size, size):
        raise ValueError(f"Got slices of {x} x {y}, wanted {size} x {size} (config.size).")

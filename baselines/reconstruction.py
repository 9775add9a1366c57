"""SliceReconstruction: a detector that reconstructs axial slices with trained networks and maps the residual."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from math import prod

import torch
from torch import Tensor
from torch.optim import Adam, Optimizer

from baselines.slices.seeding import mix_seeds
from baselines.trained_on_slices import TrainedOnSlices, check_size
from baselines.training.stage import Player, Stage
from benchmark.methods.brain_slices import holds_brain
from benchmark.methods.detector import FLOAT32

MEAN_RESIDUAL = "The mean over sequences of |image - reconstruction|."
"""How a map is made of several sequences, for the cards of those whose networks take them."""


class SliceReconstruction(TrainedOnSlices):
    """A detector whose anomaly map is |image - reconstruction|, made axial slice by axial slice.

    Of several sequences, which are the channels of a slice, the map is the mean over them. A method takes them if its
    networks do and its card says so.

    Slices of all volumes are gathered in batches of exactly `slice_batch`, the last one padded, so
    that no map depends on its neighbours. Slices without brain are skipped; their reconstruction is 0.

    Attributes:
        slice_batch: slices reconstructed at once.
        volumes_at_once: volumes whose slices are gathered in batches; with more, less of the last batch is padding.
    """

    slice_batch: int = 32
    volumes_at_once: int = 16

    @abstractmethod
    def loss(self, slices: Tensor) -> Tensor:
        """Training loss of `(B, stack C, X, Y)` slices in [0, 1]; draws from torch's global generators."""

    @abstractmethod
    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        """Healthy counterpart `(B, stack C, X, Y)` of slices; input i may use only randomness of `seeds[i]` (int64)."""

    def stages(self) -> Iterator[Stage]:
        """By default one stage, which minimises `loss` with `optimizer()`.

        A method that pre-trains yields its own stage first and then `from super().stages()`.
        """
        yield Stage(
            "train",
            self,
            (Player("loss", self.loss, self.optimizer()),),
            self.config.steps,
            validation_loss=self.loss,
            reconstruct=self._reconstruct_for_log,
            augment=self.config.augment,
        )

    def optimizer(self) -> Optimizer:
        """The optimizer of all weights."""
        return Adam(self.parameters(), lr=self.config.learning_rate)

    @property
    def values_per_pixel(self) -> int:
        """Bound on the float32 numbers per pixel that are held while a slice is reconstructed, without weights."""
        return 512

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """The bound for the slices processed at once, plus a dozen volumes a case and sequence."""
        pixels = shape[0] * shape[1] * self.slice_batch * self.stack
        return FLOAT32 * (pixels * self.values_per_pixel + 12 * volumes * self.input_channels * prod(shape))

    def slice_seeds(self, seeds: Tensor, depth: int) -> Tensor:
        """Seeds of slices, `(N, depth)` int64, from the cases' `(N,)`; override to share randomness among slices."""
        return mix_seeds(seeds[:, None], torch.arange(depth, device=seeds.device))

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[0]

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """The network's own output `(N, C, X, Y, Z)` float32, neither clamped nor masked."""
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[1]

    def map_and_reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Mean over sequences of |image - reconstruction| inside the brain, 0 outside; and the reconstruction.

        Raises:
            ValueError: slices are not of `config.size`.
        """
        check_size(images.shape, self.config.size)
        with torch.no_grad():
            reconstruction = self.reconstruct_volumes(images, brain_masks, seeds)
            residual = (images - reconstruction).abs().mean(dim=1, keepdim=True)
            return torch.where(brain_masks, residual, 0.0), reconstruction

    def reconstruct_volumes(self, images: Tensor, brain_masks: Tensor, seeds: Tensor) -> Tensor:
        """Reconstruct `(N, C, X, Y, Z)` slice by slice; a method of stacks overrides it to cover the volumes."""
        return self.slice_by_slice(self.reconstruct, images, brain_masks, seeds, channels=self.input_channels)

    def slice_by_slice(
        self, compute: Callable[..., Tensor], images: Tensor, brain_masks: Tensor, seeds: Tensor, *, channels: int = 1
    ) -> Tensor:
        """What `compute` makes of every slice with brain, 0 in the others: `(N, channels, X, Y, Z)` float32.

        Args:
            compute: `(B, C, X, Y)` slices and, as `seeds`, `(B,)` int64 to `(B, channels, X, Y)`.
        """
        depth = images.shape[-1]
        slices = images.permute(0, 4, 1, 2, 3).flatten(0, 1)  # (N Z, C, X, Y)
        slice_seeds = self.slice_seeds(seeds, depth).flatten()  # (N Z,)
        with_brain = _queued(holds_brain(brain_masks).flatten().nonzero()[:, 0], slices.device)
        result = slices.new_zeros((len(slices), channels, *slices.shape[2:]), dtype=torch.float32)
        for start in range(0, len(with_brain), self.slice_batch):
            batch = with_brain[start : start + self.slice_batch]
            padded = torch.cat([batch, batch[-1:].expand(self.slice_batch - len(batch))])
            made = compute(slices[padded], seeds=slice_seeds[padded])
            result[batch] = made[: len(batch)].float()
        return result.unflatten(0, (-1, depth)).permute(0, 2, 3, 4, 1).contiguous()  # (N, channels, X, Y, Z)

    def _reconstruct_for_log(self, slices: Tensor) -> Tensor:
        """Reconstruct `(B, stack C, X, Y)` slices under the same seeds at every validation."""
        return self.reconstruct(slices, seeds=torch.arange(len(slices), device=slices.device))


class ScoredReconstruction(SliceReconstruction):
    """A slice reconstruction whose anomaly map is a score of its own, made on the way to the reconstruction."""

    @abstractmethod
    def restore(self, slices: Tensor, *, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Anomaly scores, 0 or more, and healthy counterparts of `(B, 1, X, Y)` slices, both of their shape."""

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        return self.restore(slices, seeds=seeds)[1]

    def map_and_reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """The scores inside the brain, 0 outside; and the reconstruction.

        Raises:
            ValueError: slices are not of `config.size`.
        """
        check_size(images.shape, self.config.size)
        with torch.no_grad():
            made = self.slice_by_slice(self._stacked_restoration, images, brain_masks, seeds, channels=2)
            scores, reconstruction = made[:, :1], made[:, 1:]
            return torch.where(brain_masks, scores, 0.0), reconstruction.contiguous()

    def _stacked_restoration(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        return torch.cat(self.restore(slices, seeds=seeds), dim=1)


def _queued(indices: Tensor, device: torch.device) -> Tensor:
    """Indices on their way to the device; a GPU takes them in its turn, unwaited for."""
    return indices.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else indices.to(device)

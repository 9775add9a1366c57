"""Detector: the contract every method fulfils."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, device, nn

from datasets.case import Case


class Detector(nn.Module, ABC):
    """Learns what healthy brains look like and maps what deviates.

    A subclass states its hyper-parameters in a frozen dataclass `Config` whose defaults are the
    published recipe (the preset `paper`); smaller budgets are named in `presets`. Everything that
    `fit` learns has to be in `state_dict()`: a fitted detector is its config and its weights.

    A detector runs where its parameters and buffers are: inputs arrive on that device.
    """

    @dataclass(frozen=True)
    class Config:
        """No hyper-parameters."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    config: Any
    slice_batch: int = 32
    """Slices to process at once, set by the caller; methods that work on volumes ignore it."""

    def __init__(self, config: Any) -> None:
        super().__init__()
        self.config = config

    @abstractmethod
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Learn from healthy cases; lesion masks must not be read.

        Args:
            train, val: cases are read from disk each time they are indexed; hold what is reused.
            seed: the only source of randomness; equal seeds give equal weights on one device.
            workdir: an existing folder for logs and checkpoints.
        """

    @abstractmethod
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """Map anomalies; higher is more anomalous.

        A case's map depends on its image and its seed, never on the rest of the batch.

        Args:
            images: `(N, 1, X, Y, Z)` float32 in [0, 1]; not to be changed in place.
            brain_masks: `(N, 1, X, Y, Z)` bool.
            seeds: `(N,)` int64, one a case.

        Returns:
            `(N, 1, X, Y, Z)` float32, finite and nonnegative.
        """

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        """The healthy counterpart `(N, 1, X, Y, Z)` of each image; None for methods without one."""
        return None

    def map_and_reconstruction(
        self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Both at once; methods whose map is made of the reconstruction override it to compute it once."""
        maps = self.anomaly_map(images, brain_masks, seeds=seeds)
        return maps, self.reconstruction(images, brain_masks, seeds=seeds)

    @property
    def device(self) -> device:
        """Where the weights are; the CPU for a detector without any."""
        for tensor in (*self.parameters(), *self.buffers()):
            return tensor.device
        return device("cpu")

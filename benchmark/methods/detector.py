"""Detector: what every method has to implement, and LabelledDetector for simple baselines that see lesion labels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan, prod
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, device, nn

from benchmark.methods.card import Card, covariates_of
from datasets.case import COVARIATES, Case

FLOAT32 = 4  # bytes
AT_TEST = "at_test"


def at_test(default: Any) -> Any:
    """A field of a Config that changes maps and leaves training alone: its variants share one fit's weights.

    Examples:
        >>> @dataclass(frozen=True)
        ... class Config:
        ...     width: int = 32
        ...     power: float = at_test(1.0)
        >>> Config().power
        1.0
    """
    return field(default=default, metadata={AT_TEST: True})


class Detector(nn.Module, ABC):
    """Learns what healthy brains look like and maps what deviates.

    A subclass states its hyper-parameters in a frozen dataclass `Config` whose defaults are the
    published training procedure (the preset `paper`); smaller budgets are named in `presets`. Everything that
    `fit` learns has to be in `state_dict()`: a fitted detector is its config and its weights.

    A detector runs where its parameters and buffers are: inputs arrive on that device.

    Attributes:
        input_channels: sequences of the images, 1 unless the card says how it takes several.
        covariates: of the cases of the next call, each `(N, K)` float32 as `Case.covariates` has it; see
            `see_covariates`. Empty for a method whose card declares none.

    Examples:
        >>> class Brightness(Detector):
        ...     card = Card(supervision="none", trained_on="Nothing.", tuned_on="Nothing.")
        ...
        ...     def fit(self, train, val, *, seed, workdir):
        ...         pass
        ...
        ...     def anomaly_map(self, images, brain_masks, *, seeds):
        ...         return images * brain_masks
        >>> detector = Brightness(Brightness.Config())
        >>> images = torch.full((1, 1, 8, 8, 4), 0.5)
        >>> detector.anomaly_map(images, images > 0, seeds=torch.tensor([0])).shape
        torch.Size([1, 1, 8, 8, 4])
    """

    @dataclass(frozen=True)
    class Config:
        """No hyper-parameters."""

    card: ClassVar[Card]
    revision: ClassVar[int] = 1
    """To be raised with every change that changes a map: fits of another revision are other fits."""
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    needs_training: ClassVar[bool] = True
    """False for a method whose `fit` learns nothing: it can be run where there are no healthy scans."""
    trained_as: ClassVar[str] = ""
    """Name of the built-in method whose training this one's is, field by field, so that they share weights."""
    config: Any
    input_channels: int = 1
    covariates: Mapping[str, Tensor]
    slice_batch: int = 32
    """Slices to process at once, set by the caller; methods that work on volumes ignore it."""
    volumes_at_once: int = 4
    """Cases mapped at once, unless the caller sets another number."""

    def __init__(self, config: Any, *, channels: int = 1) -> None:
        super().__init__()
        self.config = config
        self.input_channels = channels
        self.covariates = {}

    @classmethod
    def for_channels(cls, config: Any, channels: int) -> Self:
        """A new one for images of so many sequences; the constructor of a method of one need not know of them."""
        return cls(config) if channels == 1 else cls(config, channels=channels)

    def unfitted(self) -> Self:
        """A new one of the same config, for as many sequences."""
        return self.for_channels(self.config, self.input_channels)

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

        A case's map depends on its image and its seed, never on the rest of the batch, unless the card says that the
        method is transductive: then the batch is all cases of a split.

        Args:
            images: `(N, C, X, Y, Z)` float32 in [0, 1], C the sequences; not to be changed in place.
            brain_masks: `(N, 1, X, Y, Z)` bool.
            seeds: `(N,)` int64, one a case.

        Returns:
            `(N, 1, X, Y, Z)` float32, finite and nonnegative.
        """

    def see_covariates(self, cases: Sequence[Case]) -> None:
        """Take in the declared covariates of the cases whose images are handed over next; called before every call."""
        names = covariates_of(self)
        unknown = {name: (nan,) * count for name, count in COVARIATES.items()}
        self.covariates = {
            name: torch.tensor([case.covariates.get(name, unknown[name]) for case in cases], device=self.device)
            for name in names
        }

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        """The healthy counterpart `(N, C, X, Y, Z)` of each image; None for methods without one."""
        return None

    def map_and_reconstruction(
        self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Both at once; methods whose map is made of the reconstruction override it to compute it once."""
        maps = self.anomaly_map(images, brain_masks, seeds=seeds)
        return maps, self.reconstruction(images, brain_masks, seeds=seeds)

    def compile_networks(self) -> None:
        """Compile the networks at their first call; by default every direct child module."""
        for child in self.children():
            child.compile(dynamic=False)

    def check(self, shape: Sequence[int]) -> None:
        """Refuse what this config cannot do on volumes of `shape` `(X, Y, Z)`, before anything is computed.

        Raises:
            ValueError: with what was got and expected. By default never.
        """

    def training_seconds(self) -> float | None:
        """Quick estimate of how long `fit` takes on this CPU, nothing else running; None where it trains nothing."""
        return None

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """Bound on the bytes held while mapping `volumes` cases of `shape` `(X, Y, Z)`, beyond weights and inputs.

        By default two dozen float32 volumes a case and sequence, enough for arithmetic on whole volumes.
        """
        return 24 * FLOAT32 * volumes * self.input_channels * prod(shape)

    @property
    def device(self) -> device:
        """Where the weights are; the CPU for a detector without any."""
        for tensor in (*self.parameters(), *self.buffers()):
            return tensor.device
        return device("cpu")


class LabelledDetector(Detector):
    """A detector that is given the lesion locations of other patients: a simple baseline that is never ranked.

    Like that of any detector, its `fit` reads no lesion mask. Before a patient's cases are mapped, the runner passes
    the lesion frequency of the cohort's other patients, so no map has seen a mask of its own patient. Its card says
    "lesion labels". The frequency is not part of its `state_dict()`.

    Examples:
        >>> from baselines.simple.prior import Prior
        >>> issubclass(Prior, LabelledDetector), Prior.card.supervision
        (True, 'lesion labels')
    """

    @abstractmethod
    def see_locations(self, frequency: Tensor) -> None:
        """Set the share of the other patients whose lesion covers each voxel, for all maps until the next call.

        Args:
            frequency: `(1, X, Y, Z)` float32 in [0, 1]; 0 everywhere where no other patient has a lesion mask, as
                in a healthy cohort.
        """

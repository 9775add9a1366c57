"""Small detectors for the benchmark's own tests: a sound one, and one for each way to go wrong."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from benchmark.methods.card import Card
from benchmark.methods.detector import Detector, at_test
from datasets.case import Case


class MeanDistance(Detector):
    """Distance to the mean of the training images, which is its reconstruction."""

    @dataclass(frozen=True)
    class Config:
        power: float = at_test(1.0)
        sides: tuple[str, ...] = ("dark", "bright")

        def __post_init__(self) -> None:
            if self.power <= 0:
                raise ValueError(f"Got power {self.power}, expected more than 0.")

    card: ClassVar[Card] = Card("healthy scans", "the mean of the training images", "nothing")
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}}
    mean: Tensor

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.register_buffer("mean", torch.empty(0))  # (1, X, Y, Z) once fitted

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        self.mean = torch.stack([torch.from_numpy(case.image) for case in train]).mean(dim=0)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return (images - self.mean).abs() ** self.config.power * brain_masks

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        return self.mean.expand_as(images)


class Noisy(MeanDistance):
    """Its map is noise of the case's seed."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
        return torch.stack([torch.rand(images.shape[1:], generator=generator) for generator in generators])


class Untrainable(MeanDistance):
    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        raise ArithmeticError("the loss went to infinity")


class Unmappable(MeanDistance):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        raise ArithmeticError("the map went to infinity")


class Undefined(MeanDistance):
    """NaN in the second map of a batch."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        maps = super().anomaly_map(images, brain_masks, seeds=seeds)
        maps[1, 0, 3, 3, 3] = torch.nan
        return maps


class Complex(MeanDistance):
    """Maps of complex numbers, whose real parts would do."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return super().anomaly_map(images, brain_masks, seeds=seeds) + 1j


class Negative(MeanDistance):
    """A negative voxel in the last map of a batch."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        maps = super().anomaly_map(images, brain_masks, seeds=seeds)
        maps[-1, 0, 3, 3, 3] = -1e-3
        return maps


class Flat(MeanDistance):
    """One slice too few."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return super().anomaly_map(images, brain_masks, seeds=seeds)[..., 1:]


class UndefinedReconstruction(MeanDistance):
    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor | None:
        return torch.full_like(images, torch.nan)


class Hungry(MeanDistance):
    """Runs out of memory above one volume or eight slices at once."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        if len(images) > 1 or self.slice_batch > 8:
            raise torch.OutOfMemoryError("out of memory")
        return super().anomaly_map(images, brain_masks, seeds=seeds)


class Insatiable(MeanDistance):
    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("out of memory")


class AmongOthers(MeanDistance):
    """Distance to the mean of the images that are mapped together."""

    card: ClassVar[Card] = Card("healthy scans", "nothing", "nothing", transductive=True)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return (images - images.mean(dim=0)).abs() * brain_masks


class Ageing(MeanDistance):
    """Distance to the mean of the training images, in centuries of age more.

    What it is handed is kept in `seen`, and beside the fit.
    """

    card: ClassVar[Card] = Card("healthy scans", "the mean", "nothing", covariates=("age", "sex", "spacing"))
    seen: ClassVar[list[Mapping[str, tuple[float, ...]]]] = []

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        handed = [case.covariates for case in train]
        self.seen += handed
        (workdir / "handed.json").write_text(json.dumps(handed))
        super().fit(train, val, seed=seed, workdir=workdir)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        age = self.covariates["age"].nan_to_num(50.0)[:, :, None, None, None]
        return super().anomaly_map(images, brain_masks, seeds=seeds) + age / 100 * brain_masks


class Held(MeanDistance):
    """Stands still at its fourth batch as long as a file is there."""

    @dataclass(frozen=True)
    class Config:
        file: str = ""
        power: float = 1.0

    batches = 0

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        self.batches += 1
        while self.batches == 4 and Path(self.config.file).exists():
            time.sleep(0.01)
        return super().anomaly_map(images, brain_masks, seeds=seeds)


NOT_A_DETECTOR = "mean-distance"

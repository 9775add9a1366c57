"""ZScore: distance of a smoothed voxel from the healthy brains' mean at that place, in their s.d."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from baselines.simple.gaussian import smoothed
from baselines.simple.moments import check_fitted, healthy_moments
from baselines.simple.standardise import Standardisation
from benchmark.methods import Card, Detector
from datasets.case import Case
from datasets.errors import BadValue


class ZScore(Detector):
    """Voxel-wise Gaussian of smoothed healthy brains.

    A voxel inside too few training brains has no Gaussian of its own and gets the mean and s.d. over
    all brain voxels.
    """

    @dataclass(frozen=True)
    class Config:
        """How brains are smoothed and compared.

        Attributes:
            smoothing: s.d. of the Gaussian filter in voxels; 0 for none.
            floor: smallest s.d., in units of the image's [0, 1]; more than 0.
            coverage: share of the training brains that a voxel has to lie in.
            sign: deviations that count: both, or those brighter or darker than healthy alone.
            standardise: first map every brain's intensities onto the mean quantile function of the training
                brains, which removes part of the differences between scanners.
        """

        smoothing: float = 1.0
        floor: float = 0.05
        coverage: float = 0.5
        sign: Literal["both", "bright", "dark"] = "both"
        standardise: bool = False

        def __post_init__(self) -> None:
            if not self.smoothing >= 0:
                raise BadValue(f"Got smoothing {self.smoothing:g}, expected 0 or more.")
            if not self.floor > 0:
                raise BadValue(f"Got floor {self.floor:g}, expected more than 0.")
            if not 0 < self.coverage <= 1:
                raise BadValue(f"Got coverage {self.coverage:g}, expected a share of more than 0 and at most 1.")

    card: ClassVar[Card] = Card(
        "healthy scans",
        "voxel-wise mean and s.d. of the healthy training scans, smoothed (and their common quantiles: standardise)",
        "nothing: round numbers chosen beforehand; no label was looked at",
        printed_name="z-score",
        references=(
            "standardise: Nyul, Udupa, Zhang. New variants of a method of MRI scale standardization. IEEE TMI 19(2), "
            "2000, with deciles as landmarks",
        ),
        simple_baseline=True,
        several_sequences="The mean over sequences of the deviations, each by the moments of its own sequence.",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}, "small": {}}
    config: Config
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: Config, *, channels: int = 1) -> None:
        super().__init__(config, channels=channels)
        self.register_buffer("mean", torch.empty(0))  # (C, X, Y, Z) once fitted
        self.register_buffer("deviation", torch.empty(0))
        self.standardisation = Standardisation(channels) if config.standardise else None

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Fit landmarks if `standardise` is set, then mean and s.d. of `train`; cases are read one by one.

        Raises:
            ValueError: there is no case.
        """
        if self.standardisation is not None:
            self.standardisation.learn(train)
        moments = healthy_moments(train, self._prepared, coverage=self.config.coverage, device=self.device)
        self.mean, self.deviation = moments[0], moments[1].clamp(min=self.config.floor)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """In s.d., 0 outside the brain.

        Raises:
            RuntimeError: it has not been fitted.
            ValueError: volumes are not of the fitted shape.
        """
        check_fitted(images, self.mean, type(self).__name__)
        cases = zip(images, brain_masks, strict=True)
        return torch.stack([self._map(image, brain_mask) for image, brain_mask in cases])

    def _prepared(self, image: Tensor, brain_mask: Tensor) -> Tensor:
        if self.standardisation is not None:
            image = self.standardisation(image, brain_mask)
        return smoothed(image, brain_mask, self.config.smoothing)

    def _map(self, image: Tensor, brain_mask: Tensor) -> Tensor:
        z = (self._prepared(image, brain_mask) - self.mean) / self.deviation
        deviation = {"both": z.abs(), "bright": z.clamp(min=0), "dark": (-z).clamp(min=0)}[self.config.sign]
        return torch.where(brain_mask, deviation.mean(dim=0, keepdim=True), 0.0)

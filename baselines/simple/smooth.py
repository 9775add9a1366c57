"""Smooth: smoothed distance of a brain from the smoothed mean of the healthy ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from baselines.simple.gaussian import smoothed
from baselines.simple.moments import check_fitted, healthy_moments
from benchmark.methods import Card, Detector
from datasets.case import Case
from datasets.errors import BadValue


class Smooth(Detector):
    """Residual to one mean healthy brain: what a reconstruction that ignores its input would score.

    The healthy brain is the mean of the training brains, each smoothed; the image itself is not smoothed, but
    its residual |image - healthy brain| is. Every filter averages over the brain's voxels alone, so that edges do
    not fade. Voxels inside too few training brains get the mean over all brain voxels.
    """

    @dataclass(frozen=True)
    class Config:
        """What is smoothed, and how much.

        Attributes:
            smoothing: of each training brain, s.d. of the Gaussian filter in voxels; 0 for none.
            residual_smoothing: of the residual, likewise; 0 leaves |image - healthy brain| as it is.
            coverage: share of the training brains that a voxel has to lie in.
        """

        smoothing: float = 1.0
        residual_smoothing: float = 1.0
        coverage: float = 0.5

        def __post_init__(self) -> None:
            for name in ("smoothing", "residual_smoothing"):
                if not getattr(self, name) >= 0:
                    raise BadValue(f"Got {name} {getattr(self, name):g}, expected 0 or more.")
            if not 0 < self.coverage <= 1:
                raise BadValue(f"Got coverage {self.coverage:g}, expected a share of more than 0 and at most 1.")

    card: ClassVar[Card] = Card(
        "healthy scans",
        "voxel-wise mean of the healthy training scans, each smoothed",
        "nothing: round numbers chosen beforehand; no label was looked at",
        simple_baseline=True,
        several_sequences="The mean over sequences of |image - healthy brain|, smoothed.",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}, "small": {}}
    config: Config
    mean: Tensor

    def __init__(self, config: Config, *, channels: int = 1) -> None:
        super().__init__(config, channels=channels)
        self.register_buffer("mean", torch.empty(0))  # (C, X, Y, Z) once fitted

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Mean of `train`, read case by case.

        Raises:
            ValueError: there is no case.
        """
        self.mean, _ = healthy_moments(train, self._prepared, coverage=self.config.coverage, device=self.device)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """In units of the image's [0, 1], 0 outside the brain.

        Raises:
            RuntimeError: it has not been fitted.
            ValueError: volumes are not of the fitted shape.
        """
        check_fitted(images, self.mean, type(self).__name__)
        cases = zip(images, brain_masks, strict=True)
        return torch.stack([self._map(image, brain_mask) for image, brain_mask in cases])

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """The healthy brain, cut to each case's brain mask."""
        check_fitted(images, self.mean, type(self).__name__)
        return torch.where(brain_masks, self.mean, 0.0)

    def _prepared(self, image: Tensor, brain_mask: Tensor) -> Tensor:
        return smoothed(image, brain_mask, self.config.smoothing)

    def _map(self, image: Tensor, brain_mask: Tensor) -> Tensor:
        residual = (image - self.mean).abs().mean(dim=0, keepdim=True)
        return smoothed(residual, brain_mask, self.config.residual_smoothing)

"""LowRank: smoothed distance of a brain from what a few modes of healthy variation make of it, in 3-D."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from baselines.simple.gaussian import smoothed
from baselines.simple.moments import brains, check_fitted
from benchmark.methods import Card, Detector
from datasets.case import Case
from datasets.errors import BadValue


class LowRank(Detector):
    """Residual of whole volumes to a linear model of low rank: their mean and principal components.

    The healthy counterpart of an image x is m + V c, where m is the mean of the training brains, the modes V are their
    first `rank` principal components, and c = V^T (x - m) minimises |x - m - V c|^2 over the box, its background
    included. With rank 0 it is the mean brain, whatever the image.

    References:
        Turk, Pentland: Eigenfaces for recognition. Journal of Cognitive Neuroscience 3(1), 1991: components of whole
        images by the small matrix of their products.
    """

    @dataclass(frozen=True)
    class Config:
        """The model, and what is smoothed.

        Attributes:
            rank: principal components; fewer where there are not more training brains.
            smoothing: of each training brain and of the image, s.d. of the Gaussian filter in voxels; 0 for none.
            residual_smoothing: of the residual, likewise.
        """

        rank: int = 16
        smoothing: float = 0.0
        residual_smoothing: float = 1.0

        def __post_init__(self) -> None:
            for name in ("rank", "smoothing", "residual_smoothing"):
                if not getattr(self, name) >= 0:
                    raise BadValue(f"Got {name} {getattr(self, name):g}, expected 0 or more.")

    card: ClassVar[Card] = Card(
        "healthy scans",
        "mean and principal components of the healthy training scans as whole volumes",
        "nothing: round numbers chosen beforehand; no label was looked at",
        printed_name="Low-rank model",
        references=(
            "Turk, Pentland. Eigenfaces for recognition. Journal of Cognitive Neuroscience 3(1), 1991 (the components)",
            "Liu et al. Low-rank to the rescue: atlas-based analyses in the presence of pathologies. MICCAI 2014 (the "
            "idea that lesions lie outside of a low-rank model of brains)",
        ),
        departures=(
            "Principal components by least squares, where Liu et al. decompose a cohort into a low-rank and a sparse "
            "part with every test image in it: here a map depends on its own image alone",
        ),
        simple_baseline=True,
        several_sequences="The mean over sequences of |image - healthy counterpart|, smoothed; modes span them all.",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}, "small": {}}
    config: Config
    mean: Tensor
    modes: Tensor

    def __init__(self, config: Config, *, channels: int = 1) -> None:
        super().__init__(config, channels=channels)
        self.register_buffer("mean", torch.empty(0))  # (C, X, Y, Z) once fitted
        self.register_buffer("modes", torch.empty(0))  # (K, C, X, Y, Z), orthonormal

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Mean and modes of `train`; every volume is held, in float32.

        Raises:
            ValueError: there is no case.
        """
        volumes = torch.stack([smoothed(*brain, self.config.smoothing) for brain in brains(train, self.device)])
        self.mean = volumes.mean(dim=0)
        self.modes = principal_components(volumes.sub_(self.mean), self.config.rank)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[0]

    def reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """The healthy counterparts, cut to each case's brain mask."""
        return self.map_and_reconstruction(images, brain_masks, seeds=seeds)[1]

    def map_and_reconstruction(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> tuple[Tensor, Tensor]:
        """Smoothed residual in units of the image's [0, 1], 0 outside the brain; and the healthy counterparts.

        Raises:
            RuntimeError: it has not been fitted.
            ValueError: volumes are not of the fitted shape.
        """
        check_fitted(images, self.mean, type(self).__name__)
        cases = zip(images, brain_masks, strict=True)
        maps, healthy = zip(*(self._map(image, brain_mask) for image, brain_mask in cases), strict=True)
        return torch.stack(maps), torch.stack(healthy)

    def _map(self, image: Tensor, brain_mask: Tensor) -> tuple[Tensor, Tensor]:
        image = smoothed(image, brain_mask, self.config.smoothing)
        deviation, healthy = image - self.mean, self.mean.clone()
        for mode in self.modes:
            healthy += (mode * deviation).sum() * mode
        healthy = torch.where(brain_mask, healthy, 0.0)
        residual = (image - healthy).abs().mean(dim=0, keepdim=True)
        return smoothed(residual, brain_mask, self.config.residual_smoothing), healthy


def principal_components(deviations: Tensor, rank: int) -> Tensor:
    """The first `rank` orthonormal directions in which `(N, ...)` deviations from a mean spread, `(K, ...)`.

    They come from the N x N products of the deviations; directions without spread are left out.
    """
    rows = deviations.flatten(1)
    spread, weights = torch.linalg.eigh((rows @ rows.T).double())  # ascending
    kept = (spread > 1e-6 * spread[-1]).flip(0)[:rank]
    directions = weights.flip(1)[:, : len(kept)][:, kept] / spread.flip(0)[: len(kept)][kept].sqrt()
    return (directions.T.float() @ rows).unflatten(1, deviations.shape[1:])

"""ZScore: distance of a smoothed voxel from the healthy brains' mean at that place, in their s.d."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import conv3d

from benchmark.detector import Detector
from datasets.case import Case


class ZScore(Detector):
    """Voxel-wise Gaussian of smoothed healthy brains.

    A voxel inside too few training brains has no Gaussian of its own: there the mean and s.d. of
    all their brain voxels together stand in.
    """

    @dataclass(frozen=True)
    class Config:
        """How brains are smoothed and compared.

        Attributes:
            smoothing: s.d. of the Gaussian filter in voxels; 0 for none.
            floor: smallest s.d., in units of the image's [0, 1].
            coverage: share of the training brains that a voxel has to lie in.
            sign: deviations that count: both, or those brighter or darker than healthy alone.
        """

        smoothing: float = 1.0
        floor: float = 0.05
        coverage: float = 0.5
        sign: Literal["both", "bright", "dark"] = "both"

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}}
    config: Config
    mean: Tensor
    deviation: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.register_buffer("mean", torch.empty(0))  # (1, X, Y, Z) once fitted
        self.register_buffer("deviation", torch.empty(0))

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Mean and s.d. of `train`, read case by case.

        Raises:
            ValueError: there is no case.
        """
        if len(train) == 0:
            raise ValueError("Got no healthy training case, wanted at least one.")
        running = _RunningMoments()
        for index in range(len(train)):
            case = train[index]
            image = torch.from_numpy(case.image).to(self.device)
            brain_mask = torch.from_numpy(case.brain_mask)[None].to(self.device)
            running.add(smoothed(image, brain_mask, self.config.smoothing), brain_mask)
        self.mean, deviation = running.moments(self.config.coverage * len(train))
        self.deviation = deviation.clamp(min=self.config.floor)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """In s.d., 0 outside the brain.

        Raises:
            RuntimeError: nothing was fitted.
            ValueError: volumes are not of the shape that was fitted.
        """
        if self.mean.numel() == 0:
            raise RuntimeError("Got a ZScore without mean and s.d., wanted a fitted one: call fit or load weights.")
        if images.shape[1:] != self.mean.shape:
            got, wanted = tuple(images.shape[1:]), tuple(self.mean.shape)
            raise ValueError(f"Got volumes of {got}, wanted {wanted} as in the training cases.")
        cases = zip(images, brain_masks, strict=True)
        return torch.stack([self._map(image, brain_mask) for image, brain_mask in cases])

    def _map(self, image: Tensor, brain_mask: Tensor) -> Tensor:
        z = (smoothed(image, brain_mask, self.config.smoothing) - self.mean) / self.deviation
        deviation = {"both": z.abs(), "bright": z.clamp(min=0), "dark": (-z).clamp(min=0)}[self.config.sign]
        return torch.where(brain_mask, deviation, 0.0)


def smoothed(image: Tensor, brain_mask: Tensor, sigma: float) -> Tensor:
    """Gaussian average of the brain's voxels around each voxel, so that its edge does not fade; all `(1, X, Y, Z)`.

    Outside the brain the result is 0. `sigma` is in voxels; the filter ends at 4 sigma.
    """
    inside = brain_mask.float()
    if sigma <= 0:
        return image * inside
    weight = _filtered(inside, sigma).clamp(min=torch.finfo(torch.float32).tiny)
    return torch.where(brain_mask, _filtered(image * inside, sigma) / weight, 0.0)


def _filtered(volume: Tensor, sigma: float) -> Tensor:
    radius = max(round(4 * sigma), 1)
    offsets = torch.arange(-radius, radius + 1, device=volume.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()
    result = volume[None]  # (1, 1, X, Y, Z)
    with torch.autocast(volume.device.type, enabled=False):  # a narrow format would be the map's error
        for axis in (2, 3, 4):
            shape = [1] * 5
            shape[axis] = len(kernel)
            padding = [radius if axis == other else 0 for other in (2, 3, 4)]
            result = conv3d(result, kernel.view(shape), padding=padding)
    return result[0]


class _RunningMoments:
    """Sums over cases, voxel by voxel, that grow by one volume's memory and no more.

    Float64 sums of values in [0, 1] lose nothing that a float32 s.d. could show.
    """

    def __init__(self) -> None:
        self.count = self.total = self.squares = torch.zeros((), dtype=torch.float64)

    def add(self, image: Tensor, brain_mask: Tensor) -> None:
        """`image` is 0 outside `brain_mask`; both `(1, X, Y, Z)`."""
        values = image.double()
        self.count = brain_mask.double() + self.count.to(values.device)
        self.total = values + self.total.to(values.device)
        self.squares = values**2 + self.squares.to(values.device)

    def moments(self, wanted: float) -> tuple[Tensor, Tensor]:
        """Mean and s.d., float32; those of all voxels together where fewer than `wanted` brains are."""
        known = (self.count >= wanted) & (self.count > 0)
        mean, deviation = _moments(self.count.clamp(min=1), self.total, self.squares)
        everywhere = [part.sum() for part in (self.count, self.total, self.squares)]
        overall_mean, overall_deviation = _moments(*everywhere)
        return torch.where(known, mean, overall_mean).float(), torch.where(known, deviation, overall_deviation).float()


def _moments(count: Tensor, total: Tensor, squares: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and population s.d."""
    mean = total / count
    return mean, (squares / count - mean**2).clamp(min=0).sqrt()

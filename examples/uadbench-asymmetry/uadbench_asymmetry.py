"""Asymmetry: how far a voxel departs from its mirror image, in units of what healthy brains do there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, max_pool3d

from benchmark.methods import Card, Detector
from datasets.case import Case

WINDOW = 3  # voxels along an edge of the smoothing box


class Asymmetry(Detector):
    """Deviation of a smoothed voxel from the range of intensities around its mirror image.

    A range instead of one voxel, since no brain is aligned to the voxel. What healthy brains show all the
    same (ventricles of unlike size, petalia) is learnt: the root mean square deviation at each place, over
    healthy brains and both halves, divides.
    """

    @dataclass(frozen=True)
    class Config:
        """What is compared with what.

        Attributes:
            tolerance: voxels around the mirrored place that a voxel may be like.
            floor: smallest healthy deviation, in units of the image's [0, 1].
            sign: deviations that count: both, or of voxels brighter or darker than their mirror image alone.
        """

        tolerance: int = 2
        floor: float = 0.02
        sign: Literal["both", "bright", "dark"] = "both"

        def __post_init__(self) -> None:
            if self.tolerance < 0 or self.floor <= 0:
                got = f"tolerance {self.tolerance} and floor {self.floor:g}"
                raise ValueError(f"Got {got}, expected 0 or more, and more than 0.")

    card = Card(
        supervision="healthy scans",
        trained_on="Measures, voxel by voxel, how asymmetric healthy training brains are.",
        tuned_on="Nothing: tolerance and floor are round numbers, chosen before any score was seen.",
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {"tolerance": 1}}
    config: Config
    healthy: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.register_buffer("healthy", torch.empty(0))  # (1, X, Y, Z) once fitted

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Root mean square deviation of `train` at each voxel, read case by case.

        Raises:
            ValueError: there is no case.
        """
        if len(train) == 0:
            raise ValueError("Got no healthy training case, expected at least one.")
        total = torch.zeros((), dtype=torch.float64)
        for index in range(len(train)):
            case = train[index]
            image, brain_mask = torch.from_numpy(case.image), torch.from_numpy(case.brain_mask)[None]
            total = total + self._deviation(image[None], brain_mask[None])[0].double() ** 2
        mean_square = _smoothed((total + total.flip(1)) / 2 / len(train))
        self.healthy = mean_square.sqrt().float().to(self.device)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """In healthy root mean square deviations, 0 outside the brain.

        Raises:
            ValueError: volumes are not of the shape that was fitted.
        """
        if images.shape[1:] != self.healthy.shape:
            got, expected = tuple(images.shape[1:]), tuple(self.healthy.shape)
            raise ValueError(f"Got volumes of {got}, expected {expected} as in the training cases.")
        return self._deviation(images, brain_masks) / self.healthy.clamp(min=self.config.floor)

    def _deviation(self, images: Tensor, brain_masks: Tensor) -> Tensor:
        """`(N, 1, X, Y, Z)`, 0 where there is no brain or none around the mirrored place."""
        smooth = _inside(_smoothed(images.float()), _smoothed(brain_masks.float()))
        mirrored, brain = smooth.flip(2), brain_masks.flip(2)  # axis 2 is x, left to right in RAS+
        highest = self._around(torch.where(brain, mirrored, -torch.inf))
        lowest = -self._around(torch.where(brain, -mirrored, -torch.inf))
        bright, dark = (smooth - highest).clamp(min=0), (lowest - smooth).clamp(min=0)
        deviation = {"both": bright + dark, "bright": bright, "dark": dark}[self.config.sign]
        return torch.where(brain_masks & highest.isfinite(), deviation, 0.0)

    def _around(self, volumes: Tensor) -> Tensor:
        """Largest value within the tolerance."""
        edge = 2 * self.config.tolerance + 1
        return max_pool3d(volumes, edge, stride=1, padding=self.config.tolerance)


def _smoothed(volumes: Tensor) -> Tensor:
    return avg_pool3d(volumes, WINDOW, stride=1, padding=WINDOW // 2)


def _inside(smooth: Tensor, weight: Tensor) -> Tensor:
    """Averages over brain voxels alone, so that the brain's edge does not fade."""
    return smooth / weight.clamp(min=1 / WINDOW**3)

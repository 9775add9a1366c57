"""Prior: how often other patients have a lesion at each voxel; it sees their labels, and no intensities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from baselines.simple.gaussian import smoothed
from benchmark.methods import Card, LabelledDetector
from datasets.case import Case
from datasets.errors import BadValue


class Prior(LabelledDetector):
    """Leave-one-out lesion frequency: how well the location alone predicts a lesion, given other patients' lesions.

    Before any frequency is set, and in a healthy cohort, all maps are 0, and no threshold can be chosen on them.
    """

    @dataclass(frozen=True)
    class Config:
        """How the frequency is smoothed.

        Attributes:
            smoothing: s.d. in voxels of the Gaussian filter over the brain's voxels; 0 for none.
        """

        smoothing: float = 2.0

        def __post_init__(self) -> None:
            if not self.smoothing >= 0:
                raise BadValue(f"Got smoothing {self.smoothing:g}, expected 0 or more.")

    card: ClassVar[Card] = Card(
        "lesion labels",
        "nothing; a map is made of the lesion masks of all other patients of the cohort that is scored, and is 0 in a "
        "healthy one",
        "nothing: a round number chosen beforehand",
        simple_baseline=True,
        several_sequences="None is looked at: the map is made of other patients' lesion masks.",
    )
    needs_training: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}, "small": {}}
    config: Config
    frequency: Tensor

    def __init__(self, config: Config, *, channels: int = 1) -> None:
        super().__init__(config, channels=channels)
        self.register_buffer("frequency", torch.zeros(1, 1, 1, 1), persistent=False)  # (1, X, Y, Z) once set

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Learn nothing: healthy brains have no lesions."""

    def see_locations(self, frequency: Tensor) -> None:
        self.frequency = frequency.to(self.device)

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """In [0, 1], 0 outside the brain.

        Raises:
            ValueError: volumes are not of the frequency's shape.
        """
        shape = brain_masks.shape[1:]
        if self.frequency.shape not in (shape, (1, 1, 1, 1)):
            raise ValueError(
                f"Got volumes of {tuple(shape)}, expected {tuple(self.frequency.shape)} as in the frequency."
            )
        frequency = self.frequency.expand(shape)
        return torch.stack([smoothed(frequency, brain_mask, self.config.smoothing) for brain_mask in brain_masks])

"""Thresh: histogram-equalised intensity as anomaly map; nothing is learnt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from benchmark.methods import Card, Detector
from datasets.case import Case


class Thresh(Detector):
    """The share of a brain's voxels that are no brighter: bright lesions need no more than that.

    Equalisation is exact, by rank, where the study's has 256 bins; equal intensities share a value.

    References:
        Meissen, Kaissis, Rueckert: Challenging current semi-supervised anomaly segmentation methods
        for brain MRI. 2021. arXiv 2109.06023.
    """

    @dataclass(frozen=True)
    class Config:
        """What is anomalous.

        Attributes:
            sign: bright lesions, as on FLAIR and T2 and published; dark ones, as on T1.
        """

        sign: Literal["bright", "dark"] = "bright"

    card: ClassVar[Card] = Card(
        "none",
        "nothing",
        "the sign is a field: bright as published; which one suits a sequence is known beforehand",
        references=(
            "Meissen, Kaissis, Rueckert. Challenging current semi-supervised anomaly segmentation methods for "
            "brain MRI. 2021. arXiv 2109.06023",
        ),
        departures=("Equalised exactly, by rank, where the study's histogram has 256 bins",),
        simple_baseline=True,
        several_sequences="The mean over sequences of the equalised intensities, all of one sign.",
    )
    needs_training: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}, "small": {}}
    config: Config

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Nothing to learn."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """In (0, 1] inside the brain, 0 outside."""
        signed = images if self.config.sign == "bright" else -images
        cases = zip(signed, brain_masks, strict=True)
        maps = [
            torch.stack([_equalised(channel, brain_mask[0]) for channel in image]).mean(dim=0, keepdim=True)
            for image, brain_mask in cases
        ]
        return torch.stack(maps)


def _equalised(image: Tensor, brain_mask: Tensor) -> Tensor:
    """Share of the brain's voxels whose intensity is at most this voxel's; both `(X, Y, Z)`."""
    values = image[brain_mask]
    ranks = torch.searchsorted(values.sort().values, values, right=True)
    result = torch.zeros_like(image, dtype=torch.float32)
    result[brain_mask] = ranks.float() / max(len(values), 1)
    return result

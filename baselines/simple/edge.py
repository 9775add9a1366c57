"""Edge: distance to the brain's edge as anomaly map, without learning and without any intensity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from benchmark.methods import Card, Detector
from datasets.case import Case


class Edge(Detector):
    """How deep inside the brain a voxel lies: what its location alone predicts.

    Most voxels of a lesion that fills a ball of tissue lie deeper than the cortex, where most voxels of the brain are.
    A map that scores no better has found no lesion.

    The distance is Euclidean, in voxels of the grid, to the nearest voxel that is not brain; the border of the grid's
    box is no edge. It is computed by SciPy on the CPU, whatever the device: masks are copied there and maps back.
    """

    @dataclass(frozen=True)
    class Config:
        """What is anomalous.

        Attributes:
            sign: `deep`: the further from the edge, the more; `rim`: the nearer, the more.
        """

        sign: Literal["deep", "rim"] = "deep"

    card: ClassVar[Card] = Card(
        "none",
        "nothing: the brain mask of the scan itself is all it sees",
        "the sign is a field; deep is the default by reasoning, no label was looked at",
        simple_baseline=True,
        several_sequences="None is looked at: the map is the brain mask's.",
    )
    needs_training: ClassVar[bool] = False
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"quick": {}, "small": {}}
    config: Config

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Learn nothing."""

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """`deep`: the distance in voxels; `rim`: one over it, in (0, 1]. 0 outside the brain.

        A brain that fills its box has 0 everywhere.
        """
        maps = [self._map(brain_mask[0].cpu().numpy()) for brain_mask in brain_masks]
        return torch.from_numpy(np.stack(maps)[:, None]).to(images.device)  # (N, 1, X, Y, Z)

    def _map(self, brain_mask: NDArray[np.bool_]) -> NDArray[np.float32]:
        if brain_mask.all():
            return np.zeros(brain_mask.shape, dtype=np.float32)
        distance = ndimage.distance_transform_edt(brain_mask).astype(np.float32)
        if self.config.sign == "deep":
            return distance
        return np.divide(1, distance, out=np.zeros_like(distance), where=brain_mask)

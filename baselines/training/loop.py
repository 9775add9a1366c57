"""Surroundings: what all stages of a fit share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric
from torch import Tensor, nn

from baselines.slices.batches import Batches
from baselines.slices.sampling import Volumes
from baselines.training.resume import SavedStages
from baselines.training.stage import Stage


@dataclass(frozen=True)
class Surroundings:
    """Of one of the processes that train.

    Attributes:
        detector: a loss may reach all of its weights.
        batch: inputs a step, over all ranks.
        stack: neighbouring slices an input.
        fixed: `(M, stack, X, Y)` slices of the validation cases.
    """

    fabric: Fabric
    detector: nn.Module
    config: Any
    batch: int
    stack: int
    volumes: Volumes
    fixed: Tensor
    seed: int
    workdir: Path
    saved: SavedStages

    def batches(self, stage: Stage) -> Batches:
        """Of a stage; this process takes its share."""
        return Batches(
            self.volumes,
            steps=stage.steps,
            size=self.batch,
            stack=self.stack,
            augment=stage.augment,
            seed=self.seed,
            stage=stage.name,
            rank=self.fabric.global_rank,
            ranks=self.fabric.world_size,
        )

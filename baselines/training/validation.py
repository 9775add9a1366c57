"""Validation: fixed healthy slices, and the mean of a loss over them under fixed randomness."""

import torch
from lightning.fabric import Fabric
from torch import Tensor

from baselines.slices.seeding import seeded
from baselines.training.all_reduce import over_ranks
from baselines.training.stage import Loss


class Validation:
    """Says the same of the same weights, whenever it is asked and however many ranks share the work."""

    def __init__(self, fabric: Fabric, slices: Tensor, *, size: int) -> None:
        """`slices` `(M, stack, X, Y)` are looked at in batches of `size`."""
        self.fabric = fabric
        self.slices = slices
        self.batches = slices.split(size)

    @torch.no_grad()
    def loss(self, loss: Loss) -> float:
        """Mean over the slices; rank r of R looks at batches r, r + R, ..."""
        total = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        for index in range(self.fabric.global_rank, len(self.batches), self.fabric.world_size):
            batch = self.batches[index]
            with seeded(index, self.fabric.device), self.fabric.autocast():
                total += len(batch) * loss(batch).double()
        return float(over_ranks(self.fabric, total, "sum")) / len(self.slices)

"""WeightAverage: an exponential moving average of a network's weights."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from baselines.slices.seeding import seeded
from baselines.training.all_reduce import over_ranks
from baselines.training.stage import Loss


class WeightAverage:
    """Follows the weights; without a decay it stands for the weights themselves.

    After step k (from 1) the decay is min(decay, (1 + k) / (10 + k)), so that the weights as they were drawn are
    soon forgotten. Floating buffers, the running statistics of batch norms, are averaged likewise.

    References:
        Polyak, Juditsky: Acceleration of stochastic approximation by averaging. SIAM Journal on Control and
        Optimization 30, 1992, for averaging.
    """

    def __init__(self, network: nn.Module, decay: float | None) -> None:
        self.decay = decay
        held = (*network.parameters(), *(buffer for buffer in network.buffers() if buffer.is_floating_point()))
        self.current: list[Tensor] = list(held) if decay is not None else []
        self.averaged: list[Tensor] = [weight.detach().clone() for weight in self.current]

    @torch.no_grad()
    def follow(self, step: int) -> None:
        """Take in the weights after `step` steps."""
        if self.decay is not None:
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.averaged, self.current, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The network holds the averaged weights meanwhile."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def _swap(self) -> None:
        for weight, averaged in zip(self.current, self.averaged, strict=True):
            weight.data, averaged.data = averaged.data, weight.data

    def state_dict(self) -> dict[str, Any]:
        return {"averaged": self.averaged}

    def load_state_dict(self, state: Mapping[str, Sequence[Tensor]]) -> None:
        for averaged, stored in zip(self.averaged, state["averaged"], strict=True):
            averaged.copy_(stored)


class KeptWeights:
    """The weights and buffers with the smallest validation loss so far, or those last kept; in the CPU's memory.

    Attributes:
        loss: the smallest; None before the first look.
        step: at which they were kept.
        looks_since: looks without improvement after it.
        weights: the network's `state_dict`.
    """

    def __init__(self) -> None:
        self.loss: float | None = None
        self.step, self.looks_since = 0, 0
        self.weights: dict[str, Tensor] = {}

    def see(self, network: nn.Module, loss: float, step: int) -> None:
        """Keep the network's state if it is the best so far.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        check_finite(loss, "healthy validation loss", step)
        if self.loss is None or loss < self.loss:
            self.loss, self.looks_since = loss, 0
            self.keep(network, step)
        else:
            self.looks_since += 1

    def keep(self, network: nn.Module, step: int) -> None:
        """Keep the network's state, whatever its loss."""
        self.step = step
        self.weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


def check_finite(loss: float, name: str, step: int) -> None:
    """Refuse to go on with weights that are lost.

    Raises:
        FloatingPointError: the loss is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"Step {step}: got a {name} of {loss}, wanted a finite one. "
            "Try precision 'fp32' or a smaller learning rate."
        )


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

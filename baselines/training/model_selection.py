"""Which weights a stage ends with: averaged weights, the healthy validation loss, and the best weights so far."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from baselines.slices.seeding import seeded
from baselines.training.all_reduce import reduce_over_ranks
from baselines.training.stage import Loss


class BestWeights:
    """The weights and buffers with the smallest validation loss so far, or those kept last; in CPU memory.

    Attributes:
        loss: the smallest validation loss; None before the first validation.
        step: at which the weights were kept.
        validations_since: validations without improvement after it.
        weights: the network's `state_dict`.
    """

    def __init__(self) -> None:
        self.loss: float | None = None
        self.step, self.validations_since = 0, 0
        self.weights: dict[str, Tensor] = {}

    def update(self, network: nn.Module, loss: float, step: int) -> None:
        """Keep the network's state if its loss is the smallest so far.

        Raises:
            FloatingPointError: the loss is NaN or infinite.
        """
        check_finite(loss, "healthy validation loss", step)
        if self.loss is None or loss < self.loss:
            self.loss, self.validations_since = loss, 0
            self.keep(network, step)
        else:
            self.validations_since += 1

    def keep(self, network: nn.Module, step: int) -> None:
        """Keep the network's state, whatever its loss."""
        self.step = step
        self.weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        return dict(vars(self))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)


def check_finite(loss: float, name: str, step: int) -> None:
    """Stop a training that has diverged.

    Raises:
        FloatingPointError: the loss is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise FloatingPointError(
            f"Step {step}: got a {name} of {loss}, expected a finite one. "
            "Try precision 'fp32' or a smaller learning rate."
        )


class Validation:
    """Mean of a loss over fixed slices under fixed randomness.

    Equal weights have equal losses, at whatever step and with however many ranks.
    """

    def __init__(self, fabric: Fabric, slices: Tensor, *, batch_size: int) -> None:
        """`slices` are `(M, stack, X, Y)`."""
        self.fabric = fabric
        self.slices = slices
        self.batches = slices.split(batch_size)

    @torch.no_grad()
    def loss(self, loss: Loss) -> float:
        """Mean over the slices; rank r of R computes batches r, r + R, ..."""
        total = torch.zeros((), dtype=torch.float64, device=self.fabric.device)
        for index in range(self.fabric.global_rank, len(self.batches), self.fabric.world_size):
            batch = self.batches[index]
            with seeded(index, self.fabric.device), self.fabric.autocast():
                total += len(batch) * loss(batch).double()
        return float(reduce_over_ranks(self.fabric, total, "sum")) / len(self.slices)


class WeightAverage:
    """Exponential moving average of a network's weights; without a decay, the weights themselves.

    After step k (from 1) the decay is min(decay, (1 + k) / (10 + k)), so that the initial weights are soon forgotten.
    Floating-point buffers, the running statistics of batch norms, are averaged likewise.

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
    def update(self, step: int) -> None:
        """Take in the weights after `step` steps."""
        if self.decay is not None:
            decay = min(self.decay, (1 + step) / (10 + step))
            torch._foreach_lerp_(self.averaged, self.current, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the network holds the averaged weights."""
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

"""WeightAverage: an exponential moving average of a network's weights."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


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

"""KeptWeights: which state of a network a stage ends with."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn


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

"""The terms of training: a stage, the players that are optimised in it, and what training uses of a detector."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

Loss = Callable[[Tensor], Tensor]
RateSchedule = Literal["constant", "cosine"]


@dataclass(frozen=True)
class Player:
    """Weights with a loss and an optimizer; a GAN has two players, everything else one.

    Attributes:
        name: of its loss in logs.
        loss: mean over `(B, stack C, X, Y)` slices in [0, 1]. It may draw from torch's global generators, whose state
            before each step depends on (seed, stage, step) alone, so that an interrupted fit resumes exactly.
        optimizer: updates the player's weights; the weights of other players are frozen during its step.
        every: the player is updated at every `every`-th step, after the players before it.
    """

    name: str
    loss: Loss
    optimizer: Optimizer
    every: int = 1


@dataclass(frozen=True)
class Stage:
    """One training within a fit: its weights, losses and length, and which weights are kept at its end.

    Batch size, learning rate schedule, precision, weight averaging, gradient clipping and patience are those of the
    detector's `Config`.

    Attributes:
        name: unique within a fit; names the log folder and seeds the stage's randomness. The log of the stage
            `train` is the log folder itself.
        network: holds every weight and buffer that the stage changes; its `state_dict` is what is kept. It is
            in training mode during steps; the rest of the detector stays in evaluation mode.
        players: in the order of their updates.
        steps: batches of slices.
        validation_loss: the weights with the smallest one, over fixed healthy validation slices under fixed
            randomness, are kept; None keeps the last weights.
        reconstruct: `(B, stack, X, Y)` validation slices -> the reconstructions shown in the log; None shows none.
        augment: whether slices come from augmented volumes.
    """

    name: str
    network: nn.Module
    players: tuple[Player, ...]
    steps: int
    validation_loss: Loss | None = None
    reconstruct: Callable[[Tensor], Tensor] | None = None
    augment: bool = False

    def seconds_a_step(self, inputs: Tensor) -> float:
        """Measured on a CPU: seconds of a step on `(B, stack, X, Y)` inputs, without the optimizers'.

        CPU time over threads, so that what else runs here does not count.
        """
        self.network.to(inputs.device).train()
        shares = []
        for player in self.players:
            begin = time.process_time()
            player.loss(inputs).backward()
            shares.append((time.process_time() - begin) / player.every)
        return sum(shares) / torch.get_num_threads()


class TrainableDetector(Protocol):
    """What training uses of a detector; `baselines.trained_on_slices.TrainedOnSlices` documents the members."""

    config: Any
    devices: int
    input_channels: int

    @classmethod
    def for_channels(cls, config: Any, channels: int) -> Self: ...
    @property
    def device(self) -> torch.device: ...
    @property
    def stack(self) -> int: ...
    @property
    def inputs_a_step(self) -> int: ...
    def check(self, shape: Sequence[int]) -> None: ...
    def stages(self) -> Iterator[Stage]: ...

    # of nn.Module
    def to(self, device: torch.device, /) -> Self: ...
    def eval(self) -> Self: ...
    def parameters(self) -> Iterator[nn.Parameter]: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: Mapping[str, Any], /) -> Any: ...

"""Stage: one training within a fit, and the players that take turns in it."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn
from torch.optim import Optimizer

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Player:
    """Weights that step down one loss; a GAN has two players, everything else one.

    Attributes:
        name: of its loss in logs.
        loss: mean over `(B, stack, X, Y)` slices in [0, 1]; draws from torch's global generators, which start
            each step from (seed, stage, step) alone, so that an interrupted fit goes on as if it had not been.
        optimizer: steps on the player's weights; weights of other players stand still meanwhile.
        every: takes its turn at every so-manieth step, after the players before it.
        schedule: from the steps taken before this one to the factor on the optimizer's learning rates; None
            for a constant 1.
    """

    name: str
    loss: Loss
    optimizer: Optimizer
    every: int = 1
    schedule: Callable[[int], float] | None = None


@dataclass(frozen=True)
class Stage:
    """One training: weights, who moves them, for how long, and which state of them is kept.

    Batch size, precision, averaging, clipping and patience are those of the detector's `Config`.

    Attributes:
        name: of its log folder, and where its randomness starts; no two stages of a fit share one. The log of
            the stage `train` is the log folder itself.
        network: holds every weight and buffer that the stage changes; its `state_dict` is what is kept. It is
            in training mode in steps; the rest of the detector stays in evaluation mode.
        players: in the order of their turns.
        steps: batches of slices.
        validation_loss: the weights with the smallest one over fixed healthy validation slices under fixed
            randomness are kept; None keeps the last weights.
        reconstruct: `(B, stack, X, Y)` validation slices to what the log shows beside them; None shows nothing.
        augment: whether slices come from augmented volumes.
    """

    name: str
    network: nn.Module
    players: tuple[Player, ...]
    steps: int
    validation_loss: Loss | None = None
    reconstruct: Callable[[Tensor], Tensor] | None = None
    augment: bool = False

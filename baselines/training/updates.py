"""Turns: the players of a stage step one after the other, each on its own weights."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lightning.fabric import Fabric
from torch import Tensor, nn

from baselines.training.all_reduce import average_gradients
from baselines.training.stage import Player


class Turns:
    """Takes one step of all players at a time.

    Attributes:
        losses: of each player's latest turn, not read from the device yet.
    """

    def __init__(
        self, fabric: Fabric, players: Sequence[Player], weights: Iterable[nn.Parameter], *, gradient_clip: float | None
    ) -> None:
        """`weights` are all that a loss may reach, whoever moves them."""
        everything = list(dict.fromkeys(weights))
        self.seats = [_Seat(fabric, player, everything, gradient_clip) for player in players]
        self.losses: dict[str, Tensor] = {}

    def take(self, slices: Tensor, step: int) -> None:
        """Step number `step`, counted from 0, on `(B, stack, X, Y)` slices."""
        for seat in self.seats:
            if (step + 1) % seat.player.every == 0:
                self.losses[seat.player.name] = seat.turn(slices, step)

    def state_dict(self) -> dict[str, Any]:
        return {seat.player.name: seat.optimizer.state_dict() for seat in self.seats}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for seat in self.seats:
            seat.optimizer.load_state_dict(state[seat.player.name])

    def forget_gradients(self) -> None:
        """Give their memory back."""
        for seat in self.seats:
            seat.optimizer.zero_grad()


class _Seat:
    """A player, the weights it moves, and those that stand still in its turn."""

    def __init__(
        self, fabric: Fabric, player: Player, everything: Sequence[nn.Parameter], gradient_clip: float | None
    ) -> None:
        self.fabric, self.player, self.gradient_clip = fabric, player, gradient_clip
        self.optimizer: Any = fabric.setup_optimizers(player.optimizer)
        self.rates = [group["lr"] for group in player.optimizer.param_groups]
        self.own = [weight for group in player.optimizer.param_groups for weight in group["params"]]
        own = set(self.own)
        self.others = [weight for weight in everything if weight.requires_grad and weight not in own]

    def turn(self, slices: Tensor, step: int) -> Tensor:
        """Step down the player's loss of these slices; the loss before the step is returned."""
        self._set_rates(step)
        self.optimizer.zero_grad()
        with _standing_still(self.others):
            with self.fabric.autocast():
                loss = self.player.loss(slices)
            self.fabric.backward(loss)
        average_gradients(self.fabric, self.own)
        self._clip()
        self.optimizer.step()
        return loss.detach()

    def _set_rates(self, step: int) -> None:
        if self.player.schedule is not None:
            factor = self.player.schedule(step)
            for group, rate in zip(self.player.optimizer.param_groups, self.rates, strict=True):
                group["lr"] = rate * factor

    def _clip(self) -> None:
        if self.gradient_clip is not None:
            # Under fp16 an infinite norm is no error: the scaler leaves such a step out.
            self.fabric.strategy.clip_gradients_norm(
                nn.Module(), self.player.optimizer, max_norm=self.gradient_clip, error_if_nonfinite=False
            )


@contextmanager
def _standing_still(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """No gradients for `weights`, which had them before and have them again after."""
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)

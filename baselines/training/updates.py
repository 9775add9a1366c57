"""AlternatingUpdates: optimizer steps of a stage's players, one after the other, each on its own weights."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import cos, pi
from typing import Any

from lightning.fabric import Fabric
from torch import Tensor, nn

from baselines.training.all_reduce import average_gradients
from baselines.training.stage import Player, RateSchedule

RateFactor = Callable[[int], float]


class AlternatingUpdates:
    """Updates every player that is due at a step.

    Attributes:
        losses: of each player's latest update, still on the device.
    """

    def __init__(
        self,
        fabric: Fabric,
        players: Sequence[Player],
        weights: Iterable[nn.Parameter],
        *,
        gradient_clip: float | None,
        rate_factor: RateFactor,
    ) -> None:
        """`weights` are all that any player's loss may reach; `rate_factor` is as `rate_factor_of` makes it."""
        reachable = list(dict.fromkeys(weights))
        self._updates = [_PlayerUpdate(fabric, player, reachable, gradient_clip, rate_factor) for player in players]
        self.losses: dict[str, Tensor] = {}

    def step(self, slices: Tensor, step: int) -> None:
        """Step number `step`, counted from 0, on `(B, stack, X, Y)` slices."""
        for update in self._updates:
            if (step + 1) % update.player.every == 0:
                self.losses[update.player.name] = update.step(slices, step)

    def zero_gradients(self) -> None:
        """Free the memory of all gradients."""
        for update in self._updates:
            update.optimizer.zero_grad()

    def state_dict(self) -> dict[str, Any]:
        return {update.player.name: update.optimizer.state_dict() for update in self._updates}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        for update in self._updates:
            update.optimizer.load_state_dict(state[update.player.name])


def rate_factor_of(schedule: RateSchedule, steps: int) -> RateFactor:
    """Number of completed steps of `steps` -> factor on all learning rates: 1, or half a cosine from 1 to 0.

    References:
        Loshchilov, Hutter: SGDR: Stochastic gradient descent with warm restarts. ICLR 2017, eq. 5 without restarts.
    """
    return (lambda step: 1.0) if schedule == "constant" else (lambda step: (1 + cos(pi * step / steps)) / 2)


class _PlayerUpdate:
    """A player, the weights it updates, and the weights that are frozen during its update."""

    def __init__(
        self,
        fabric: Fabric,
        player: Player,
        reachable: Sequence[nn.Parameter],
        gradient_clip: float | None,
        rate_factor: RateFactor,
    ) -> None:
        self.fabric, self.player, self.gradient_clip, self.rate_factor = fabric, player, gradient_clip, rate_factor
        self.optimizer: Any = fabric.setup_optimizers(player.optimizer)
        self.rates = [group["lr"] for group in player.optimizer.param_groups]
        self.own = [weight for group in player.optimizer.param_groups for weight in group["params"]]
        own = set(self.own)
        self.others = [weight for weight in reachable if weight.requires_grad and weight not in own]

    def step(self, slices: Tensor, step: int) -> Tensor:
        """Take one optimizer step on these slices; the loss before it."""
        self._set_learning_rates(step)
        self.optimizer.zero_grad()
        with _frozen(self.others):
            with self.fabric.autocast():
                loss = self.player.loss(slices)
            self.fabric.backward(loss)
        average_gradients(self.fabric, self.own)
        self._clip()
        self.optimizer.step()
        return loss.detach()

    def _set_learning_rates(self, step: int) -> None:
        factor = self.rate_factor(step)
        for group, rate in zip(self.player.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor

    def _clip(self) -> None:
        if self.gradient_clip is not None:
            # Under fp16 an infinite norm is no error: the loss scaler skips such a step.
            self.fabric.strategy.clip_gradients_norm(
                nn.Module(), self.player.optimizer, max_norm=self.gradient_clip, error_if_nonfinite=False
            )


@contextmanager
def _frozen(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Disable gradients of `weights`, all of which require them outside the block."""
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)

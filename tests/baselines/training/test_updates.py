"""Players take updates, each on its own weights and in its own time."""

import contextlib

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn
from torch.optim import SGD

from baselines.training.stage import Player
from baselines.training.updates import AlternatingUpdates, RateFactor, rate_factor_of

FABRIC = Fabric(accelerator="cpu", devices=1)
SLICES = torch.zeros(2, 1, 4, 4)
CONSTANT = rate_factor_of("constant", 10)


class Pair(nn.Module):
    """Two numbers; each loss pulls both up by 1 a step, whoever may move."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))
        self.frozen = nn.Parameter(torch.zeros(()), requires_grad=False)
        self.seen: list[tuple[bool, bool, bool]] = []

    def loss(self, slices: Tensor) -> Tensor:
        self.seen.append((self.first.requires_grad, self.second.requires_grad, self.frozen.requires_grad))
        return -(self.first + self.second + self.frozen) + slices.sum()

    def updates(self, *, every: int = 1, rate_factor: RateFactor = CONSTANT) -> AlternatingUpdates:
        players = [
            Player("first", self.loss, SGD([self.first], lr=1)),
            Player("second", self.loss, SGD([self.second], lr=1), every=every),
        ]
        return AlternatingUpdates(FABRIC, players, self.parameters(), gradient_clip=None, rate_factor=rate_factor)


def test_each_player_moves_its_own_weights_alone() -> None:
    pair = Pair()
    pair.updates().step(SLICES, 0)
    assert (pair.first.item(), pair.second.item()) == (1, 1)
    assert pair.seen == [(True, False, False), (False, True, False)]


def test_what_had_gradients_before_has_them_after_even_when_a_loss_fails() -> None:
    pair = Pair()
    players = [Player("first", lambda slices: slices.view(-1, 7), SGD([pair.first], lr=1))]
    updates = AlternatingUpdates(FABRIC, players, pair.parameters(), gradient_clip=None, rate_factor=CONSTANT)
    with contextlib.suppress(RuntimeError):
        updates.step(SLICES, 0)
    assert [weight.requires_grad for weight in pair.parameters()] == [True, True, False]


def test_a_player_waits_for_its_turn() -> None:
    pair = Pair()
    updates = pair.updates(every=3)
    seconds = []
    for step in range(7):
        updates.step(SLICES, step)
        seconds.append(pair.second.item())
    assert seconds == [0, 0, 1, 1, 1, 2, 2]
    assert pair.first == 7


def test_a_schedule_scales_the_learning_rate_of_each_step() -> None:
    pair = Pair()
    updates = pair.updates(rate_factor=lambda step: 0.5**step)
    for step in range(4):
        updates.step(SLICES, step)
    assert pair.first == pair.second == 1 + 0.5 + 0.25 + 0.125


def test_a_schedule_goes_on_from_a_loaded_state() -> None:
    pair = Pair()
    updates = pair.updates(rate_factor=lambda step: 0.5**step)
    updates.step(SLICES, 1)
    other = pair.updates(rate_factor=lambda step: 0.5**step)
    other.load_state_dict(updates.state_dict())
    other.step(SLICES, 2)
    assert pair.second == 0.5 + 0.25


def test_the_cosine_leads_the_learning_rate_from_all_to_nothing() -> None:
    factor = rate_factor_of("cosine", 10)
    assert [round(factor(step), 3) for step in (0, 5, 10)] == [1.0, 0.5, 0.0]
    assert {CONSTANT(step) for step in (0, 5, 10)} == {1.0}


def test_the_latest_loss_of_each_player_is_remembered() -> None:
    pair = Pair()
    updates = pair.updates(every=2)
    updates.step(SLICES, 0)
    assert updates.losses.keys() == {"first"}
    updates.step(SLICES, 1)
    assert {name: float(loss) for name, loss in updates.losses.items()} == {"first": -1, "second": -2}
    assert not any(loss.requires_grad for loss in updates.losses.values())

"""The average follows the weights, and the network gets its own back."""

import pytest
import torch
from torch import nn

from baselines.training.model_selection import WeightAverage


def follow(decay: float, values: list[float]) -> tuple[nn.Linear, WeightAverage]:
    network = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(network.weight)
    average = WeightAverage(network, decay)
    for step, value in enumerate(values, start=1):
        nn.init.constant_(network.weight, value)
        average.update(step)
    return network, average


def test_the_average_is_that_of_the_formula() -> None:
    network, average = follow(0.5, [1.0, 2.0, 4.0])
    expected = 0.0
    for step, value in enumerate([1.0, 2.0, 4.0], start=1):
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    with average.in_place():
        assert network.weight.item() == pytest.approx(expected)
    assert network.weight.item() == 4


def test_the_optimizer_moves_the_weights_and_not_their_average() -> None:
    network, average = follow(0.5, [1.0])
    optimizer = torch.optim.SGD(network.parameters(), lr=1)
    with average.in_place():
        kept = network.weight.item()
    network.weight.sum().backward()
    optimizer.step()
    assert network.weight.item() == 0
    with average.in_place():
        assert network.weight.item() == kept


def test_without_a_decay_the_weights_stand_for_themselves() -> None:
    network = nn.Linear(2, 2)
    average = WeightAverage(network, None)
    before = network.weight.clone()
    average.update(1)
    with average.in_place():
        assert torch.equal(network.weight, before)


def test_weights_that_do_not_change_are_their_own_average() -> None:
    network = nn.Linear(50, 50)
    average = WeightAverage(network, 0.9)
    before = network.weight.clone()
    for step in range(1, 10):
        average.update(step)
    with average.in_place():
        assert torch.equal(network.weight, before)


def test_running_statistics_are_averaged_and_counters_are_not() -> None:
    norm = nn.BatchNorm2d(1)
    average = WeightAverage(norm, 0.5)
    norm.running_mean.fill_(4.0)  # type: ignore[union-attr]
    norm.num_batches_tracked.fill_(7)  # type: ignore[union-attr]
    average.update(100)
    with average.in_place():
        assert norm.running_mean.item() == 2  # type: ignore[union-attr]
        assert norm.num_batches_tracked.item() == 7  # type: ignore[union-attr]
    assert norm.running_mean.item() == 4  # type: ignore[union-attr]

"""A small detector with all that a training can have, and a way to stop it in the middle."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, distributed, nn
from torch.optim import SGD, Adam

from baselines.reconstruction import SliceReconstruction
from baselines.training.stage import Player, Stage
from benchmark.methods.contract.trial import simulated_case
from datasets.case import Case

SHAPE = (12, 12, 5)


class Interrupted(Exception):
    """Stands for a power cut."""


class Contest(SliceReconstruction):
    """A maker follows the slices' mean, a judge the maker; statistics are collected, noise is drawn.

    Attributes:
        at_each_loss: called at every training loss with their number so far; for tests to throw something.
    """

    @dataclass(frozen=True)
    class Config(SliceReconstruction.Config):
        size: int = 12
        steps: int = 12
        batch_size: int = 4
        learning_rate: float = 0.05
        augment: bool = False
        noise: float = 0.1
        warm_up: bool = False
        judged: bool = False
        validated: bool = True

    at_each_loss: ClassVar[Callable[[int], None]] = staticmethod(lambda count: None)
    counter: ClassVar["itertools.count[int]"] = itertools.count(1)

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.maker = nn.Parameter(torch.randn(3))
        self.judge = nn.Parameter(torch.randn(3))
        self.norm = nn.BatchNorm2d(1)

    def stages(self) -> Iterator[Stage]:
        if self.config.warm_up:
            head = nn.ParameterList([torch.randn(3), self.maker])
            player = Player(
                "pull", lambda slices: self.loss(slices) + (head[0] - self.maker).square().sum(), Adam(head)
            )
            yield Stage("warm-up", head, (player,), self.config.steps)
            with torch.no_grad():
                self.judge.copy_(self.maker + torch.randn(3))
        players = [Player("loss", self.loss, self.optimizer())]
        if self.config.judged:
            players = [
                Player("judge", self.judge_loss, Adam([self.judge], lr=0.1)),
                Player("maker", self.maker_loss, SGD([self.maker], lr=0.05, momentum=0.9), every=3),
            ]
        validation = self.loss if self.config.validated else None
        yield Stage("train", self, tuple(players), self.config.steps, validation, self._reconstruct_for_log)

    def loss(self, slices: Tensor) -> Tensor:
        if torch.is_grad_enabled():
            self.at_each_loss(next(self.counter))
            _all_ranks_agree(self)
        if self.norm.training and self.maker.requires_grad:
            self.norm(slices)
        noisy = slices + self.config.noise * torch.rand_like(slices)
        return (noisy - self.maker.sum()).square().mean() + 0.1 * self.judge.square().sum()

    def judge_loss(self, slices: Tensor) -> Tensor:
        assert not self.maker.requires_grad
        assert self.judge.requires_grad
        return (self.judge - self.maker).square().sum() + 0 * self.loss(slices)

    def maker_loss(self, slices: Tensor) -> Tensor:
        assert self.maker.requires_grad
        assert not self.judge.requires_grad
        return self.loss(slices) + (self.judge - self.maker).square().sum()

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        return self.maker.sum().expand_as(slices)


def cases(first: int, count: int) -> list[Case]:
    return [simulated_case(index, SHAPE) for index in range(first, first + count)]


def fitted(config: Contest.Config, workdir: Path, *, seed: int = 0, devices: int = 1, device: str = "cpu") -> Contest:
    detector = Contest(config).to(device)
    detector.devices = devices
    detector.fit(cases(0, 3), cases(3, 2), seed=seed, workdir=workdir)
    return detector


def same_weights(first: nn.Module, second: nn.Module) -> bool:
    """Bit for bit."""
    pairs = zip(first.state_dict().values(), second.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


def _all_ranks_agree(network: nn.Module) -> None:
    if distributed.is_available() and distributed.is_initialized():
        for tensor in network.state_dict().values():
            first = tensor.clone()
            distributed.broadcast(first, src=0)
            assert torch.equal(first, tensor)

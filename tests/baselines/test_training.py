"""A fit is decided by its seed, keeps the best weights, and leaves nothing but a log behind."""

import logging
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from baselines.reconstruction import SliceReconstruction
from benchmark.trial import simulated_case
from datasets.case import Case

SHAPE = (12, 12, 5)


class Level(SliceReconstruction):
    """Learns one grey level; `best_at` makes the validation loss smallest after so many steps."""

    @dataclass(frozen=True)
    class Config(SliceReconstruction.Config):
        size: int = 12
        steps: int = 8
        batch_size: int = 4
        learning_rate: float = 0.1
        augment: bool = False
        best_at: int | None = None

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.level = nn.Parameter(torch.randn(()))
        self.frozen = nn.Parameter(torch.zeros(3), requires_grad=False)
        self.register_buffer("steps_done", torch.zeros((), dtype=torch.int64))
        self.steps_done: Tensor

    def loss(self, slices: Tensor) -> Tensor:
        if self.training:
            self.steps_done += 1
            return (slices + 0.1 * torch.rand_like(slices) - self.level).square().mean()
        if self.config.best_at is not None:
            return (self.steps_done - self.config.best_at).abs() + 0.1 + 0 * self.level
        return (slices + torch.rand_like(slices) - self.level).square().mean()

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        return self.level.expand_as(slices)


def cases(first: int, count: int) -> list[Case]:
    return [simulated_case(index, SHAPE) for index in range(first, first + count)]


def fitted(config: Level.Config, workdir: Path, *, seed: int = 0) -> Level:
    detector = Level(config)
    detector.fit(cases(0, 3), cases(3, 2), seed=seed, workdir=workdir)
    return detector


def validation_losses(workdir: Path) -> "pd.Series[float]":
    return pd.read_csv(workdir / "log" / "metrics.csv")["val_loss"].dropna()


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    fitted(Level.Config(steps=40), tmp_path)
    losses = validation_losses(tmp_path)
    assert losses.min() < 0.5 * losses.iloc[0]


def test_equal_seeds_give_equal_weights_whatever_was_drawn_before(tmp_path: Path) -> None:
    torch.manual_seed(1)
    first = fitted(Level.Config(), tmp_path / "a")
    torch.manual_seed(2)
    second = fitted(Level.Config(), tmp_path / "b")
    other = fitted(Level.Config(), tmp_path / "c", seed=1)
    assert torch.equal(first.level, second.level)
    assert not torch.equal(first.level, other.level)


def test_fitting_again_starts_anew(tmp_path: Path) -> None:
    once = fitted(Level.Config(), tmp_path)
    level = once.level.clone()
    once.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path)
    assert torch.equal(once.level, level)


def test_the_callers_generator_is_left_alone(tmp_path: Path) -> None:
    detector = Level(Level.Config())
    state = torch.get_rng_state()
    detector.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_fit_takes_exactly_its_steps(tmp_path: Path) -> None:
    detector = fitted(Level.Config(steps=7, validate_every=7, best_at=7), tmp_path)
    assert detector.steps_done == 7


def test_the_best_weights_are_kept(tmp_path: Path) -> None:
    detector = fitted(Level.Config(steps=8, validate_every=1, best_at=3), tmp_path)
    assert detector.steps_done == 3
    assert validation_losses(tmp_path).round(3).tolist() == [2.1, 1.1, 0.1, 1.1, 2.1, 3.1, 4.1, 5.1]


def test_validation_has_fixed_randomness(tmp_path: Path) -> None:
    fitted(Level.Config(steps=5, validate_every=1, learning_rate=1e-30), tmp_path)
    assert validation_losses(tmp_path).nunique() == 1


def test_there_are_twenty_looks_at_the_validation_cases(tmp_path: Path) -> None:
    fitted(Level.Config(steps=60), tmp_path)
    assert len(validation_losses(tmp_path)) == 20


def test_a_detector_comes_back_in_evaluation_mode_without_lightning(tmp_path: Path) -> None:
    detector = fitted(Level.Config(), tmp_path)
    assert not detector.training
    assert set(detector.state_dict()) == {"level", "frozen", "steps_done"}
    assert not list(detector.children())


def test_nothing_but_the_log_stays_in_the_work_folder(tmp_path: Path) -> None:
    fitted(Level.Config(), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".ckpt", ".pt", ".pkl")]


def test_the_bar_counts_steps_and_lightning_is_quiet(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    level = logging.getLogger("lightning.pytorch").level
    fitted(Level.Config(steps=8), tmp_path)
    out, err = capsys.readouterr()
    assert out == ""
    assert "8/8" in err
    assert "val_loss=" in err
    assert "it/s" in err
    assert "Epoch" not in err
    assert not caplog.records
    assert logging.getLogger("lightning.pytorch").level == level


def test_training_in_bf16_keeps_float32_weights(tmp_path: Path) -> None:
    assert fitted(Level.Config(precision="bf16"), tmp_path).level.dtype == torch.float32


def test_worker_processes_do_not_change_the_weights(tmp_path: Path) -> None:
    config = Level.Config(steps=3, augment=True)
    alone = fitted(config, tmp_path / "alone")
    shared = Level(config)
    shared.loader_workers = 1
    shared.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path / "shared")
    assert torch.equal(alone.level, shared.level)


def test_pretraining_starts_from_the_drawn_weights_and_is_kept(tmp_path: Path) -> None:
    class Pretrained(Level):
        def pretrain(self, *_cases: object, **_options: object) -> None:
            with torch.no_grad():
                self.frozen.add_(2)

    detector = Pretrained(Level.Config())
    for folder in ("first", "second"):
        detector.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path / folder)
        assert detector.frozen.tolist() == [2, 2, 2]


def test_half_precision_on_the_cpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Got precision 'fp16' on the CPU"):
        fitted(Level.Config(precision="fp16"), tmp_path)


def test_slices_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Got slices of 12 x 12, wanted 16 x 16 \(config\.size\)"):
        fitted(Level.Config(size=16), tmp_path)


def test_a_validation_loss_that_is_not_finite_stops_the_fit(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="got a healthy validation loss of"):
        fitted(Level.Config(learning_rate=1e30, steps=3), tmp_path)

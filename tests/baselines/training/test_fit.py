"""A fit is decided by its seed, keeps the best weights, and leaves nothing but a log behind."""

import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
import torch
import two_players
from matplotlib.image import imread
from torch import Tensor, nn
from torch.optim import SGD, Optimizer

from baselines.reconstruction import SliceReconstruction
from baselines.slices.sampling import evenly_spaced_slices, hold_volumes
from baselines.slices.seeding import seeded
from baselines.training.stage import Stage
from benchmark.methods.contract.trial import simulated_case
from datasets.case import Case

SHAPE = (12, 12, 5)
WARMED = two_players.Contest.Config(warm_up=True, judged=True)


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
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "training.json"]
    assert not [path for path in tmp_path.rglob("*") if path.suffix in (".ckpt", ".pt", ".pkl")]


def test_the_bar_counts_steps_and_lightning_is_quiet(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
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


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_losses_are_computed_in_the_precision_asked_for(precision: Literal["fp32", "bf16"], tmp_path: Path) -> None:
    seen = set[tuple[bool, bool]]()

    class Watched(Level):
        def loss(self, slices: Tensor) -> Tensor:
            seen.add((self.training, torch.is_autocast_enabled("cpu")))
            if torch.is_autocast_enabled("cpu"):
                assert torch.get_autocast_dtype("cpu") == torch.bfloat16
            return super().loss(slices)

    detector = Watched(Level.Config(precision=precision))
    detector.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path)
    assert seen == {(True, precision == "bf16"), (False, precision == "bf16")}
    assert detector.level.dtype == torch.float32


def test_two_stages_draw_and_keep_weights_of_their_own(tmp_path: Path) -> None:
    first, second = (two_players.fitted(WARMED, tmp_path / name) for name in ("first", "second"))
    assert two_players.same_weights(first, second)
    records = json.loads((tmp_path / "first" / "training.json").read_text())
    assert [(record["name"], record["steps"]) for record in records] == [("warm-up", 12), ("train", 12)]
    assert (tmp_path / "first" / "log" / "warm-up" / "metrics.csv").exists()
    assert not (tmp_path / "first" / "log" / "train").exists()


def test_the_kept_weights_of_a_stage_are_there_when_the_next_is_asked_for(tmp_path: Path) -> None:
    class Careful(Level):
        def stages(self) -> Iterator[Stage]:
            yield replace(next(super().stages()), name="first")
            assert self.steps_done == 3
            yield from super().stages()

    detector = Careful(Level.Config(validate_every=1, best_at=3))
    detector.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path)
    assert detector.steps_done == 4  # the second stage was never as near to 3 as after its first step


def test_stages_of_one_name_are_refused(tmp_path: Path) -> None:
    class Twice(Level):
        def stages(self) -> Iterator[Stage]:
            yield from super().stages()
            yield from super().stages()

    with pytest.raises(ValueError, match="Got a second stage 'train'"):
        Twice(Level.Config()).fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path)


def test_without_a_validation_loss_the_last_weights_are_kept(tmp_path: Path) -> None:
    config = two_players.Contest.Config(validated=False, steps=5)
    detector = two_players.fitted(config, tmp_path)
    assert detector.norm.num_batches_tracked == 5
    (record,) = json.loads((tmp_path / "training.json").read_text())
    assert (record["best_step"], record["best_validation_loss"]) == (5, None)


def test_a_stage_without_a_validation_loss_does_not_go_on_with_lost_weights(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="got a loss 'loss' of"):
        two_players.fitted(two_players.Contest.Config(validated=False, learning_rate=1e30), tmp_path)


def test_statistics_of_batches_are_kept_with_the_best_weights(tmp_path: Path) -> None:
    config = two_players.Contest.Config(steps=40, validate_every=1, learning_rate=0.3)
    detector = two_players.fitted(config, tmp_path)
    (record,) = json.loads((tmp_path / "training.json").read_text())
    assert detector.norm.num_batches_tracked == record["best_step"] < 40


def test_patience_stops_a_training_that_has_been_best_for_long(tmp_path: Path) -> None:
    detector = fitted(Level.Config(steps=30, validate_every=2, best_at=6, patience=3), tmp_path)
    assert detector.steps_done == 6
    (record,) = json.loads((tmp_path / "training.json").read_text())
    assert (record["steps"], record["best_step"]) == (12, 6)


def test_the_averaged_weights_are_looked_at_and_kept(tmp_path: Path) -> None:
    plain = fitted(Level.Config(steps=6, validate_every=6), tmp_path / "plain")
    config = Level.Config(steps=6, validate_every=6, ema=0.5)
    averaged = fitted(config, tmp_path / "averaged")
    assert not torch.equal(plain.level, averaged.level)
    with torch.no_grad():
        slices = evenly_spaced_slices(hold_volumes(cases(3, 2), "validation", averaged.device), 8)
        losses = []
        for index, batch in enumerate(slices.split(4)):
            with seeded(index, averaged.device):
                losses.append(len(batch) * float(averaged.loss(batch)))
    assert validation_losses(tmp_path / "averaged").item() == pytest.approx(sum(losses) / len(slices))


def test_a_clipped_gradient_steps_no_further_than_allowed(tmp_path: Path) -> None:
    class Descent(Level):
        def optimizer(self) -> Optimizer:
            return SGD([self.level], lr=1)

    with seeded(0, torch.device("cpu")):
        start = Descent(Level.Config()).level.detach()
    detector = Descent(Level.Config(steps=1, gradient_clip=0.01))
    detector.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path)
    assert float((detector.level.detach() - start).abs()) == pytest.approx(0.01, rel=1e-3)


def test_speed_and_waiting_are_written_down(tmp_path: Path) -> None:
    fitted(Level.Config(), tmp_path)
    (record,) = json.loads((tmp_path / "training.json").read_text())
    assert record["name"] == "train"
    assert record["steps"] / record["seconds"] == pytest.approx(record["steps_per_second"])
    assert 0 < record["data_wait_fraction"] < 1
    assert record["best_validation_loss"] == pytest.approx(validation_losses(tmp_path).min())
    assert (pd.read_csv(tmp_path / "log" / "metrics.csv")["steps_per_second"] > 0).all()


def test_the_log_shows_slices_above_their_reconstructions(tmp_path: Path) -> None:
    fitted(Level.Config(), tmp_path)
    pictures = sorted((tmp_path / "log").glob("*.png"))
    assert [path.name for path in pictures] == [f"step-{step:06d}.png" for step in (2, 4, 6, 8)]
    assert imread(pictures[0]).shape[:2] == (2 * 12, 4 * 12)


def test_settings_that_cannot_work_are_refused() -> None:
    for change, message in (
        ({"patience": 0}, "Got patience 0, expected 1 or more"),
        ({"ema": 1.0}, "Got ema 1, expected a decay between 0 and 1"),
        ({"gradient_clip": 0.0}, "Got gradient_clip 0, expected more than 0"),
    ):
        with pytest.raises(ValueError, match=message):
            Level.Config(**change)


def test_a_batch_that_devices_cannot_share_is_refused(tmp_path: Path) -> None:
    detector = Level(Level.Config(batch_size=4))
    detector.devices = 3
    with pytest.raises(ValueError, match=r"Got devices 3, expected a number that divides the 4 inputs of a step"):
        detector.fit(cases(0, 3), cases(3, 2), seed=0, workdir=tmp_path)


def test_half_precision_on_the_cpu_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Got precision 'fp16' on the CPU"):
        fitted(Level.Config(precision="fp16"), tmp_path)


def test_slices_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Got slices of 12 x 12, expected 16 x 16 \(config\.size\)"):
        fitted(Level.Config(size=16), tmp_path)


def test_a_validation_loss_that_is_not_finite_stops_the_fit(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="got a healthy validation loss of"):
        fitted(Level.Config(learning_rate=1e30, steps=3), tmp_path)

"""A fit that was interrupted goes on, and ends with the weights of one that was not."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
import pytest
import torch
from two_players import Contest, Interrupted, cases, fitted, same_weights

from baselines.training import loop
from benchmark.methods.termination import SIGNALS, Terminated, termination_is_an_exception

PLAIN = Contest.Config()
VARIANTS = {
    "plain": PLAIN,
    "averaged": replace(PLAIN, ema=0.9, gradient_clip=0.5),
    "two players": replace(PLAIN, judged=True, validated=False),
    "augmented in bf16": replace(PLAIN, augment=True, precision="bf16"),
}
KILLED = """
import os, signal, sys
from pathlib import Path
from baselines.training import loop
from two_players import Contest, fitted

def main():
    loop.CHECKPOINT_SECONDS = 0.0
    Contest.at_each_loss = staticmethod(lambda count: count == 20 and os.kill(os.getpid(), signal.SIGKILL))
    fitted(Contest.Config(warm_up=True, judged=True, ema=0.9), Path(sys.argv[1]))

main()
"""


@pytest.fixture(autouse=True)
def _checkpoint_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)


def interrupt(config: Contest.Config, workdir: Path, *, at: int, seed: int = 0, device: str = "cpu") -> None:
    """Fit until loss number `at` is asked for."""

    def throw(count: int) -> None:
        if count == at:
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Contest, "counter", iter(range(1, 1000)))
        patch.setattr(Contest, "at_each_loss", staticmethod(throw))
        with pytest.raises(Interrupted):
            fitted(config, workdir, seed=seed, device=device)


def counted(config: Contest.Config, workdir: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Contest, int]:
    """A fitted detector, and how many training losses its fit asked for."""
    counts: list[int] = []
    monkeypatch.setattr(Contest, "at_each_loss", staticmethod(counts.append))
    return fitted(config, workdir), len(counts)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_fit_goes_on_with_equal_weights(name: str, tmp_path: Path) -> None:
    config = VARIANTS[name]
    whole = fitted(config, tmp_path / "whole")
    interrupt(config, tmp_path / "parts", at=7)
    assert same_weights(fitted(config, tmp_path / "parts"), whole)


@pytest.mark.parametrize("at", [5, 13, 18])
def test_a_fit_goes_on_in_either_stage_and_between_them(at: int, tmp_path: Path) -> None:
    config = replace(PLAIN, warm_up=True)
    whole = fitted(config, tmp_path / "whole")
    interrupt(config, tmp_path / "parts", at=at)
    assert same_weights(fitted(config, tmp_path / "parts"), whole)


def test_a_fit_may_be_interrupted_twice(tmp_path: Path) -> None:
    whole = fitted(PLAIN, tmp_path / "whole")
    interrupt(PLAIN, tmp_path / "parts", at=4)
    interrupt(PLAIN, tmp_path / "parts", at=4)
    assert same_weights(fitted(PLAIN, tmp_path / "parts"), whole)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_saves_the_step_it_comes_in_whenever_the_last_checkpoint_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    whole = fitted(PLAIN, tmp_path / "whole")
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1e9)
    monkeypatch.setattr(Contest, "counter", iter(range(1, 1000)))
    with monkeypatch.context() as patch, termination_is_an_exception():
        patch.setattr(Contest, "at_each_loss", staticmethod(lambda count: count == 7 and signal.raise_signal(number)))
        with pytest.raises(Terminated) as end:
            fitted(PLAIN, tmp_path / "parts")
    assert end.value.signal == number
    again, losses = counted(PLAIN, tmp_path / "parts", monkeypatch)
    assert losses == 12 - 7
    assert same_weights(again, whole)


def test_patience_goes_on_counting(tmp_path: Path) -> None:
    config = replace(PLAIN, steps=40, validate_every=1, learning_rate=0.3, patience=3)
    whole = fitted(config, tmp_path / "whole")
    rows = len(log(tmp_path / "whole"))
    assert rows < 40
    interrupt(config, tmp_path / "parts", at=rows)
    assert same_weights(fitted(config, tmp_path / "parts"), whole)
    assert len(log(tmp_path / "parts")) == rows


def test_only_the_steps_that_are_left_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupt(PLAIN, tmp_path, at=9)
    assert counted(PLAIN, tmp_path, monkeypatch)[1] == 4


def test_the_log_keeps_its_earlier_part(tmp_path: Path) -> None:
    fitted(PLAIN, tmp_path / "whole")
    interrupt(PLAIN, tmp_path / "parts", at=7)
    fitted(PLAIN, tmp_path / "parts")
    columns = ["step", "loss", "val_loss"]
    pd.testing.assert_frame_equal(log(tmp_path / "parts")[columns], log(tmp_path / "whole")[columns])


def test_rows_after_the_last_checkpoint_are_not_kept_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 1e9)
    interrupt(PLAIN, tmp_path, at=7)
    assert log(tmp_path)["step"].tolist() == [1, 2, 3, 4, 5, 6]
    fitted(PLAIN, tmp_path)
    assert log(tmp_path)["step"].tolist() == list(range(1, 13))


@pytest.mark.parametrize("change", [{"seed": 1}, {"config": replace(PLAIN, learning_rate=0.01)}])
def test_what_another_fit_left_is_ignored_aloud(
    change: dict[str, object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = {"config": PLAIN, "seed": 0} | change
    interrupt(other["config"], tmp_path / "parts", at=7, seed=other["seed"])  # type: ignore[arg-type]
    resumed = fitted(PLAIN, tmp_path / "parts")
    assert same_weights(resumed, fitted(PLAIN, tmp_path / "whole"))
    assert ["another config, seed or data" in message for message in caplog.messages] == [True]


def test_checkpoints_of_other_scans_are_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(PLAIN, tmp_path, at=7)
    Contest(PLAIN).fit(cases(1, 3), cases(4, 2), seed=0, workdir=tmp_path)
    assert "another config, seed or data" in caplog.text


def test_checkpoints_of_other_brain_masks_are_ignored(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(PLAIN, tmp_path, at=9)
    masked = [replace(case, brain_mask=case.brain_mask & (case.image[0] > 0.3)) for case in cases(0, 3)]
    Contest(PLAIN).fit(masked, cases(3, 2), seed=0, workdir=tmp_path)
    assert "ignoring the checkpoints of a fit with another" in caplog.text


def test_a_torn_checkpoint_is_ignored_aloud(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    interrupt(PLAIN, tmp_path / "parts", at=7)
    checkpoint = tmp_path / "parts" / "checkpoints" / "train.pt"
    checkpoint.write_bytes(checkpoint.read_bytes()[:500])
    assert same_weights(fitted(PLAIN, tmp_path / "parts"), fitted(PLAIN, tmp_path / "whole"))
    assert "a checkpoint that cannot be read" in caplog.text


def test_what_a_kill_left_half_written_does_no_harm(tmp_path: Path) -> None:
    interrupt(PLAIN, tmp_path, at=7)
    (tmp_path / "checkpoints" / ".1.train").write_bytes(b"half")
    fitted(PLAIN, tmp_path)
    assert not (tmp_path / "checkpoints").exists()


def test_a_finished_fit_starts_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert counted(PLAIN, tmp_path, monkeypatch)[1] == 12
    assert counted(PLAIN, tmp_path, monkeypatch)[1] == 12
    assert log(tmp_path)["step"].tolist() == list(range(1, 13))


def test_checkpoints_are_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 30.0)
    interrupt(PLAIN, tmp_path, at=9)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["identity"]


def test_a_killed_process_is_gone_on_from_in_its_second_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Contest.Config(warm_up=True, judged=True, ema=0.9)
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here.parents[2]), str(here)])
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "parts")],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert (tmp_path / "parts" / "checkpoints" / "warm-up.pt").exists()
    resumed, losses = counted(config, tmp_path / "parts", monkeypatch)
    assert losses < 12
    assert same_weights(resumed, fitted(config, tmp_path / "whole"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_fit_on_a_gpu_goes_on_with_equal_weights(precision: Literal["fp32", "fp16"], tmp_path: Path) -> None:
    config = replace(PLAIN, warm_up=True, judged=True, augment=True, precision=precision)
    whole = fitted(config, tmp_path / "whole", device="cuda")
    interrupt(config, tmp_path / "parts", at=20, device="cuda")
    assert same_weights(fitted(config, tmp_path / "parts", device="cuda"), whole)


def log(workdir: Path) -> pd.DataFrame:
    return pd.read_csv(workdir / "log" / "metrics.csv")

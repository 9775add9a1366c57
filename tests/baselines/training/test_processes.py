"""Two processes share a fit: the same weights as one, up to rounding, and all else as usual."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from test_interruption import interrupt
from two_players import Contest, fitted

from baselines.training import loop

pytestmark = pytest.mark.slow  # every process imports torch
CONFIG = Contest.Config(noise=0.0, warm_up=True, judged=True, validate_every=2, ema=0.9)


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Contest:
    return fitted(CONFIG, tmp_path_factory.mktemp("alone"))


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Contest, Path]:
    """Every loss checks that both processes hold equal weights and statistics."""
    workdir = tmp_path_factory.mktemp("shared")
    return fitted(CONFIG, workdir, devices=2), workdir


def close(first: Contest, second: Contest) -> bool:
    return torch.allclose(first.maker, second.maker, atol=1e-5) and torch.allclose(first.judge, second.judge, atol=1e-5)


def test_two_processes_take_the_steps_of_one(alone: Contest, shared: tuple[Contest, Path]) -> None:
    assert close(shared[0], alone)
    assert shared[0].norm.num_batches_tracked == alone.norm.num_batches_tracked


def test_two_processes_leave_what_one_leaves(shared: tuple[Contest, Path]) -> None:
    _, workdir = shared
    assert sorted(path.name for path in workdir.iterdir()) == ["log", "training.json"]
    records = json.loads((workdir / "training.json").read_text())
    assert [(record["name"], record["steps"]) for record in records] == [("warm-up", 12), ("train", 12)]
    assert pd.read_csv(workdir / "log" / "metrics.csv")["step"].tolist() == list(range(1, 13))
    assert "MASTER_PORT" not in os.environ


def test_two_processes_go_on_where_one_was_interrupted(
    alone: Contest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    interrupt(CONFIG, tmp_path, at=20)
    assert close(fitted(CONFIG, tmp_path, devices=2), alone)
    assert pd.read_csv(tmp_path / "log" / "metrics.csv")["step"].tolist() == list(range(1, 13))


def test_two_processes_give_up_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(FloatingPointError, match="got a healthy validation loss of"):
        fitted(replace(CONFIG, warm_up=False, judged=False, learning_rate=1e30), tmp_path, devices=2)

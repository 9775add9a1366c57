"""`import` at the command line: weights of a published checkpoint, or one line that says why not."""

from pathlib import Path

import pytest
import torch
from commandline import call, refused
from torch import nn

from baselines.diffusion.ddpm import DDPM


def published(folder: Path) -> Path:
    """A checkpoint with a few of the authors' names, and hyper-parameters beside the weights."""
    state = {
        f"diffusion.model.input_blocks.0.0.{name}": value for name, value in nn.Conv2d(1, 128, 3).state_dict().items()
    }
    torch.save({"state_dict": state, "hyper_parameters": {"lr": 1e-4}}, folder / "published.ckpt")
    return folder / "published.ckpt"


def test_the_line_that_runs_the_imported_weights_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DDPM, "import_published", lambda path, folder: folder / f"ddpm-{path.stem}.safetensors")
    result = call("import", "ddpm", published(tmp_path), "--out", tmp_path)
    assert result.exit_code == 0
    assert f'--methods "ddpm[weights={tmp_path}/ddpm-published.safetensors]"' in result.stdout


def test_a_checkpoint_of_another_network_is_told_in_one_line(tmp_path: Path) -> None:
    line = refused(call("import", "ddpm", published(tmp_path), "--out", tmp_path / "weights"))
    assert "missing tensors" in line
    assert not (tmp_path / "weights").exists()


def test_a_method_without_published_weights_is_told_in_one_line(tmp_path: Path) -> None:
    line = refused(call("import", "ae", published(tmp_path), "--out", tmp_path / "weights"))
    assert "got method 'ae', of which no checkpoint is published" in line


def test_a_missing_checkpoint_and_an_unknown_method_are_told_in_one_line(tmp_path: Path) -> None:
    assert "nothing.ckpt" in refused(call("import", "ddpm", tmp_path / "nothing.ckpt"))
    assert "Did you mean 'cddpm'" in refused(call("import", "cdpm", tmp_path / "nothing.ckpt"))

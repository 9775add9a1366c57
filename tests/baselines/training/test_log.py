"""A stage's log: rows as they come, pictures, and TensorBoard's events where it is installed."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.image import imread

from baselines.training import log as training_log
from baselines.training.log import TrainingLog, log_folder, slices_above_reconstructions


def test_rows_are_readable_while_the_training_goes_on(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, ["loss", "val_loss"], step=0)
    log.write(1, {"loss": 0.5})
    log.write(2, {"loss": 0.25, "val_loss": 0.75})
    table = pd.read_csv(tmp_path / "metrics.csv")
    assert table["step"].tolist() == [1, 2]
    assert table["loss"].tolist() == [0.5, 0.25]
    assert table["val_loss"].isna().tolist() == [True, False]
    log.close()


def test_a_new_training_begins_a_new_log(tmp_path: Path) -> None:
    for loss, step in ((1.0, 7), (2.0, 1)):
        log = TrainingLog(tmp_path, ["loss"], step=0)
        log.write(1, {"loss": loss})
        log.show(step, torch.rand(4, 1, 6, 6), torch.rand(4, 1, 6, 6))
        log.close()
    assert [path.name for path in tmp_path.glob("*.png")] == ["step-000001.png"]
    assert len(list(tmp_path.glob("events*"))) <= 1
    assert pd.read_csv(tmp_path / "metrics.csv")["loss"].tolist() == [2.0]


def test_numbers_keep_all_their_digits_over_an_interruption(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, ["loss"], step=0)
    log.write(1, {"loss": 1 / 3})
    log.write(2, {"loss": 2 / 3})
    log.close()
    TrainingLog(tmp_path, ["loss"], step=1).close()
    assert (tmp_path / "metrics.csv").read_text().split() == ["step,loss", f"1,{1 / 3!r}"]


def test_a_row_torn_by_a_power_cut_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss\n1,0.5\n2")
    TrainingLog(tmp_path, ["loss"], step=5).close()
    assert pd.read_csv(tmp_path / "metrics.csv")["step"].tolist() == [1]


def test_slices_stand_above_their_reconstructions() -> None:
    slices = torch.rand(4, 3, 5, 6)
    picture = slices_above_reconstructions(slices, slices / 2)
    assert picture.shape == (2 * 6, 4 * 5)
    upper, lower = np.split(picture, 2)
    assert np.array_equal(lower, upper / 2)
    assert np.array_equal(upper[:, 5:10], slices[1, 1].T.flip(0).numpy())


def test_pictures_are_grey_and_of_one_scale(tmp_path: Path) -> None:
    log = TrainingLog(tmp_path, ["loss"], step=0)
    log.show(30, torch.full((4, 1, 6, 6), 0.5), torch.full((4, 1, 6, 6), 2.0))
    log.close()
    picture = imread(tmp_path / "step-000030.png")[..., 0]
    assert picture[:6] == pytest.approx(0.5, abs=0.01)
    assert (picture[6:] == 1).all()


def test_events_are_written_where_tensorboard_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log = TrainingLog(tmp_path, ["loss"], step=0)
    log.write(1, {"loss": 0.5})
    log.show(1, torch.rand(4, 1, 6, 6), torch.rand(4, 1, 6, 6))
    log.close()
    assert list(tmp_path.glob("events.out.tfevents.*"))


def test_tensorboard_may_be_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_log, "find_spec", lambda name: None)
    log = TrainingLog(tmp_path, ["loss"], step=0)
    log.write(1, {"loss": 0.5})
    log.show(1, torch.rand(4, 1, 6, 6), torch.rand(4, 1, 6, 6))
    log.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.csv", "step-000001.png"]


def test_a_methods_own_training_has_the_log_folder_for_itself(tmp_path: Path) -> None:
    assert log_folder(tmp_path, "train") == tmp_path / "log"
    assert log_folder(tmp_path, "pretrain") == tmp_path / "log" / "pretrain"

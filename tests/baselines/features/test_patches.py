"""PatchFeatures: cells, features of both encoders, maps made of cells, and the encoder's pre-training."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from tiny_volumes import ENCODER, SHAPE, image

from baselines.encoders.resnet import ResNet
from baselines.features.padim import PaDiM
from baselines.features.patches import PatchFeatures
from baselines.simple.gaussian import smoothed
from benchmark.methods.contract.trial import simulated_case

TINY = PaDiM.Config(**ENCODER, dimensions=6)  # type: ignore[arg-type]
DEEP = replace(TINY, encoder="deepbet", pixels=32)


def detector(config: PaDiM.Config = TINY) -> PatchFeatures:
    torch.manual_seed(0)
    return PaDiM(config).eval()


@pytest.mark.parametrize(
    ("config", "cells", "channels"),
    [
        (PaDiM.Config(), (24, 24, 50), 1792),
        (PaDiM.Config(**PaDiM.presets["quick"]), (24, 24, 50), 448),
        (PaDiM.Config(encoder="deepbet"), (48, 48, 25), 112),
        (replace(PaDiM.Config(encoder="deepbet"), stages=(1, 2)), (24, 24, 13), 96),
    ],
)
def test_a_volume_is_cut_into_cells_of_the_finest_stage(
    config: PaDiM.Config, cells: tuple[int, ...], channels: int
) -> None:
    with torch.device("meta"):
        made = PaDiM(config)
    assert made.cells((config.size, config.size, 50)) == cells
    assert made.channels == channels


@pytest.mark.parametrize("config", [TINY, replace(TINY, pixels=32), replace(TINY, stages=(1,)), DEEP])
@torch.no_grad()
def test_features_lie_on_the_cells(config: PaDiM.Config) -> None:
    made = detector(config)
    features = made.features(image()[0])
    assert features.shape == (made.channels, *made.cells(SHAPE))
    chosen = torch.tensor([1, 5, 7])
    assert torch.equal(made.features(image()[0], chosen), features[chosen])


@torch.no_grad()
def test_slices_are_seen_one_by_one_however_many_at_once() -> None:
    made = detector()
    whole = made.features(image()[0])
    made.slice_batch = 3
    torch.testing.assert_close(made.features(image()[0]), whole)
    changed = image()[0].clone()
    changed[..., 4] = 0.9
    differs = (made.features(changed) != made.features(image()[0])).flatten(0, 2).any(dim=0)
    assert differs.tolist() == [index == 4 for index in range(7)]


@torch.no_grad()
def test_a_coarse_stage_lends_its_features_to_the_cells_that_it_covers() -> None:
    made = detector()
    assert isinstance(made.encoder, ResNet)
    slices = image()[0].permute(3, 0, 1, 2)
    fine, coarse = made.encoder.features(slices)
    features = made.features(image()[0]).permute(3, 0, 1, 2)
    torch.testing.assert_close(features[:, : fine.shape[1]], fine)
    for x in range(4):
        for y in range(4):
            torch.testing.assert_close(features[:, fine.shape[1] :, x, y], coarse[:, :, x // 2, y // 2])


def test_cells_at_least_half_in_the_brain_are_brain_cells() -> None:
    brain_mask = torch.zeros(1, 16, 16, 7, dtype=torch.bool)
    brain_mask[0, :4, :2, 3], brain_mask[0, 8:12, 8:9, 5] = True, True
    found = detector().brain_cells(brain_mask)
    assert found.nonzero().tolist() == [[0, 0, 3]]


def test_a_map_is_linear_between_cells_and_skips_those_without_a_score() -> None:
    made, (_, brain_mask) = detector(replace(TINY, smoothing=0.0)), image()
    scores = torch.full((4, 4, 7), torch.nan)
    known = made.brain_cells(brain_mask)
    scores[known] = 3.0
    made.features, made.score = lambda *_: torch.zeros(()), lambda *_: (scores, known)  # type: ignore[method-assign]
    found = made._map(torch.zeros(1, *SHAPE), brain_mask)
    assert not found[~brain_mask].any()
    assert found[brain_mask].unique().tolist() in ([3.0], [0.0, 3.0])
    assert (found[brain_mask] == 3).float().mean() > 0.9


def test_smoothing_is_in_pixels_that_the_encoder_sees() -> None:
    made, (_, brain_mask) = detector(replace(TINY, pixels=32, smoothing=2.0)), image()
    scores = torch.rand(8, 8, 7)
    made.features, made.score = lambda *_: torch.zeros(()), lambda *_: (scores, scores >= 0)  # type: ignore[method-assign]
    one = made._map(torch.zeros(1, *SHAPE), brain_mask)
    made.config = replace(TINY, pixels=32, smoothing=0.0)
    torch.testing.assert_close(one, smoothed(made._map(torch.zeros(1, *SHAPE), brain_mask), brain_mask, 1.0))


def test_pretraining_lowers_its_loss_and_moves_the_encoder(tmp_path: Path) -> None:
    config = replace(TINY, steps=60, batch_size=8, learning_rate=3e-3)
    cases = [simulated_case(index, SHAPE) for index in range(6)]
    made = detector(config)
    made.fit(cases[:4], cases[4:], seed=0, workdir=tmp_path)
    losses = pd.read_csv(next(tmp_path.rglob("metrics.csv")))["val_loss"].dropna()
    assert losses.min() < 0.5 * losses.iloc[0]
    other = detector(replace(TINY, steps=1))
    other.fit(cases[:4], cases[4:], seed=0, workdir=tmp_path)
    assert not torch.equal(next(made.encoder.parameters()), next(other.encoder.parameters()))


def test_an_unfitted_detector_says_so() -> None:
    one, brain_mask = (tensor[None] for tensor in image())
    with pytest.raises(RuntimeError, match=r"Got a PaDiM .* expected a fitted one"):
        detector().anomaly_map(one, brain_mask, seeds=torch.zeros(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder_width": 0}, "encoder_width 0, expected 1 or more"),
        ({"encoder_blocks": ()}, r"encoder_blocks \[\], expected one or more"),
        ({"stages": ()}, r"stages \[\], expected ascending ones of 0\.\.1"),
        ({"stages": (1, 0)}, r"stages \[1, 0\], expected ascending ones of 0\.\.1"),
        ({"stages": (2,)}, r"stages \[2\], expected ascending ones of 0\.\.1"),
        ({"removed": 1.0}, "removed 1, expected a share between 0 and 1"),
        ({"smoothing": -1.0}, "smoothing -1, expected 0 or more"),
        ({"pixels": 20}, "pixels 20, expected a multiple of 8"),
        ({"decoder_width": 15}, "pretrain_width 15, expected a multiple of 4"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)

"""Smooth is the smoothed residual to the mean of smoothed healthy brains."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from baselines.simple.gaussian import smoothed
from baselines.simple.smooth import Smooth
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case
from datasets.errors import BadValue

SHAPE = (14, 13, 12)


def tensors(index: int) -> tuple[Tensor, Tensor]:
    case = simulated_case(index, SHAPE)
    return torch.from_numpy(case.image), torch.from_numpy(case.brain_mask)[None]


def fitted(config: Smooth.Config, workdir: Path) -> Smooth:
    detector = Smooth(config)
    detector.fit([simulated_case(index, SHAPE) for index in range(3)], [], seed=0, workdir=workdir)
    return detector


def test_smooth_fulfils_the_contract() -> None:
    check_detector(lambda: Smooth(Smooth.Config()))


def test_a_map_is_the_smoothed_residual_to_the_mean_of_smoothed_brains(tmp_path: Path) -> None:
    detector = fitted(Smooth.Config(smoothing=1.5, residual_smoothing=0.7, coverage=1), tmp_path)
    image, brain_mask = tensors(5)
    everywhere = torch.stack([tensors(index)[1] for index in range(3)]).all(dim=0)
    mean = torch.stack([smoothed(*tensors(index), 1.5) for index in range(3)]).mean(dim=0)
    assert torch.allclose(detector.mean[everywhere], mean[everywhere], atol=1e-6)
    expected = smoothed((image - detector.mean).abs(), brain_mask, 0.7)
    got = detector.anomaly_map(image[None], brain_mask[None], seeds=torch.zeros(1, dtype=torch.int64))[0]
    assert torch.allclose(got, expected, atol=1e-6)


def test_unsmoothed_residuals_are_those_of_the_reconstruction(tmp_path: Path) -> None:
    detector = fitted(Smooth.Config(residual_smoothing=0), tmp_path)
    image, brain_mask = (tensor[None] for tensor in tensors(5))
    seeds = torch.zeros(1, dtype=torch.int64)
    residual = (image - detector.reconstruction(image, brain_mask, seeds=seeds)).abs()
    assert torch.allclose(detector.anomaly_map(image, brain_mask, seeds=seeds), residual)


def test_an_unfitted_detector_says_so() -> None:
    image, brain_mask = (tensor[None] for tensor in tensors(0))
    with pytest.raises(RuntimeError, match=r"Got a Smooth .* expected a fitted one"):
        Smooth(Smooth.Config()).anomaly_map(image, brain_mask, seeds=torch.zeros(1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smoothing": -1.0}, r"smoothing -1, expected 0 or more\."),
        ({"residual_smoothing": -0.5}, r"residual_smoothing -0.5, expected 0 or more\."),
        ({"coverage": 0.0}, r"coverage 0, expected a share of more than 0 and at most 1\."),
        ({"coverage": 2.0}, r"coverage 2, expected a share of more than 0 and at most 1\."),
        ({"coverage": float("nan")}, r"coverage nan, expected a share of more than 0 and at most 1\."),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue, match=f"^Got {message}$"):
        Smooth.Config(**change)

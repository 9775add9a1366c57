"""Thresh ranks a brain's intensities."""

from pathlib import Path

import pytest
import torch
from scipy.stats import rankdata
from torch import Tensor

from baselines.simple.thresh import Thresh
from benchmark.methods.contract.check import check_detector


def brains() -> tuple[Tensor, Tensor, Tensor]:
    """Two images with many ties, brain masks and seeds."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 12, (2, 1, 6, 5, 4), generator=generator) / 12
    brain_masks = torch.rand(images.shape, generator=generator) < 0.7
    return images * brain_masks, brain_masks, torch.zeros(2, dtype=torch.int64)


@pytest.mark.parametrize("sign", ["bright", "dark"])
def test_thresh_fulfils_the_contract(sign: str) -> None:
    check_detector(lambda: Thresh(Thresh.Config(sign=sign)))  # type: ignore[arg-type]


@pytest.mark.parametrize(("sign", "factor"), [("bright", 1), ("dark", -1)])
def test_a_map_is_the_largest_rank_over_the_brain(sign: str, factor: int) -> None:
    images, brain_masks, seeds = brains()
    config = Thresh.Config(sign=sign)  # type: ignore[arg-type]
    maps = Thresh(config).anomaly_map(images, brain_masks, seeds=seeds)
    for image, brain_mask, anomaly_map in zip(images, brain_masks, maps, strict=True):
        values = factor * image[brain_mask].numpy()
        expected = torch.from_numpy(rankdata(values, "max") / len(values)).float()
        assert torch.allclose(anomaly_map[brain_mask], expected)
        assert (anomaly_map[~brain_mask] == 0).all()


def test_equal_intensities_share_a_value_and_the_brightest_is_1() -> None:
    image = torch.tensor([0.2, 0.7, 0.7, 0.9]).view(1, 1, 4, 1, 1)
    inputs = {"brain_masks": torch.ones_like(image, dtype=torch.bool), "seeds": torch.zeros(1, dtype=torch.int64)}
    bright = Thresh(Thresh.Config()).anomaly_map(image, **inputs)
    dark = Thresh(Thresh.Config(sign="dark")).anomaly_map(image, **inputs)
    assert bright.flatten().tolist() == [0.25, 0.75, 0.75, 1.0]
    assert dark.flatten().tolist() == [1.0, 0.75, 0.75, 0.25]


def test_monotone_changes_of_intensity_change_nothing() -> None:
    images, brain_masks, seeds = brains()
    detector = Thresh(Thresh.Config())
    expected = detector.anomaly_map(images, brain_masks, seeds=seeds)
    assert torch.equal(detector.anomaly_map(images**2, brain_masks, seeds=seeds), expected)


def test_no_brain_has_an_empty_map() -> None:
    images, brain_masks, seeds = brains()
    assert (Thresh(Thresh.Config()).anomaly_map(images, brain_masks & False, seeds=seeds) == 0).all()


def test_nothing_is_learnt(tmp_path: Path) -> None:
    detector = Thresh(Thresh.Config())
    detector.fit([], [], seed=0, workdir=tmp_path)
    assert not detector.state_dict()

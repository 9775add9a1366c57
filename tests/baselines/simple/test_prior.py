"""Prior maps what it is told of other patients, and nothing else."""

from typing import Any

import pytest
import torch
from torch import Tensor

from baselines.simple.gaussian import smoothed
from baselines.simple.prior import Prior
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case
from datasets.errors import BadValue

SHAPE = (24, 24, 7)


def frequency() -> Tensor:
    """`(1, X, Y, Z)` in [0, 1]."""
    return torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(0))


def told(config: Prior.Config) -> Prior:
    detector = Prior(config)
    detector.see_locations(frequency())
    return detector


def inputs(*indices: int) -> dict[str, Tensor]:
    masks = torch.stack([torch.from_numpy(simulated_case(index, SHAPE).brain_mask)[None] for index in indices])
    images = torch.stack([torch.from_numpy(simulated_case(index, SHAPE).image) for index in indices])
    return {"images": images, "brain_masks": masks, "seeds": torch.zeros(len(indices), dtype=torch.int64)}


def test_prior_fulfils_the_contract() -> None:
    check_detector(lambda: Prior(Prior.Config()))


def test_a_map_is_the_frequency_smoothed_inside_the_brain() -> None:
    given = inputs(0)
    brain_mask = given["brain_masks"][0]
    (got,) = told(Prior.Config(smoothing=1.5)).anomaly_map(**given)
    assert torch.equal(got, smoothed(frequency(), brain_mask, 1.5))
    (plain,) = told(Prior.Config(smoothing=0)).anomaly_map(**given)
    assert torch.equal(plain, frequency() * brain_mask)


def test_before_anything_is_told_maps_are_0_and_after_it_the_last_word_counts() -> None:
    detector, given = Prior(Prior.Config()), inputs(0, 1)
    assert (detector.anomaly_map(**given) == 0).all()
    detector.see_locations(frequency())
    assert (detector.anomaly_map(**given) > 0).any()
    detector.see_locations(torch.zeros(1, *SHAPE))
    assert (detector.anomaly_map(**given) == 0).all()


def test_intensities_and_weights_play_no_part() -> None:
    given = inputs(0)
    expected = told(Prior.Config()).anomaly_map(**given)
    assert torch.equal(told(Prior.Config()).anomaly_map(**(given | {"images": given["images"] ** 2})), expected)
    assert not told(Prior.Config()).state_dict()


def test_a_frequency_of_another_grid_is_refused() -> None:
    detector = Prior(Prior.Config())
    detector.see_locations(torch.zeros(1, 5, 5, 5))
    with pytest.raises(ValueError, match=r"Got volumes of \(1, 24, 24, 7\), expected \(1, 5, 5, 5\)"):
        detector.anomaly_map(**inputs(0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smoothing": -3.0}, r"smoothing -3, expected 0 or more\."),
        ({"smoothing": float("nan")}, r"smoothing nan, expected 0 or more\."),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue, match=f"^Got {message}$"):
        Prior.Config(**change)

"""LowRank: its components, what it takes for healthy, and the mean brain as its simplest case."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from baselines.simple.gaussian import smoothed
from baselines.simple.lowrank import LowRank, principal_components
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case
from datasets.case import Case
from datasets.errors import BadValue

SHAPE = (14, 13, 12)
TRAIN = [simulated_case(index, SHAPE) for index in range(6)]
SEEDS = torch.zeros(1, dtype=torch.int64)


def tensors(case: Case) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(case.image)[None], torch.from_numpy(case.brain_mask)[None, None]


def fitted(workdir: Path, **config: float) -> LowRank:
    detector = LowRank(LowRank.Config(**config))  # type: ignore[arg-type]
    detector.fit(TRAIN, [], seed=0, workdir=workdir)
    return detector


def test_lowrank_fulfils_the_contract() -> None:
    check_detector(lambda: LowRank(LowRank.Config(rank=2)))


def test_components_are_those_of_a_singular_value_decomposition() -> None:
    torch.manual_seed(0)
    deviations = torch.randn(7, 1, 5, 4, 6)
    deviations -= deviations.mean(dim=0)
    found = principal_components(deviations, 3)
    expected = torch.linalg.svd(deviations.flatten(1), full_matrices=False).Vh[:3]
    assert found.shape == (3, 1, 5, 4, 6)
    torch.testing.assert_close((found.flatten(1) @ expected.T).abs(), torch.eye(3), atol=1e-4, rtol=0)


def test_directions_without_spread_are_left_out() -> None:
    deviations = torch.randn(4, 1, 3, 3, 3)
    deviations -= deviations.mean(dim=0)
    found = principal_components(deviations, 10)
    torch.testing.assert_close(found.flatten(1) @ found.flatten(1).T, torch.eye(3), atol=1e-5, rtol=0)
    assert len(principal_components(deviations, 0)) == 0
    assert len(principal_components(torch.zeros(3, 1, 2, 2, 2), 2)) == 0


def test_of_rank_zero_it_is_the_mean_brain_whatever_the_image(tmp_path: Path) -> None:
    detector = fitted(tmp_path, rank=0)
    image, brain_mask = tensors(simulated_case(8, SHAPE))
    mean = torch.stack([torch.from_numpy(case.image * case.brain_mask) for case in TRAIN]).mean(dim=0)
    maps, healthy = detector.map_and_reconstruction(image, brain_mask, seeds=SEEDS)
    torch.testing.assert_close(healthy[0], mean * brain_mask[0])
    torch.testing.assert_close(maps[0], smoothed((image[0] - mean).abs(), brain_mask[0], 1.0))


def test_a_brain_that_the_modes_span_has_no_residual_but_for_its_lesion(tmp_path: Path) -> None:
    detector = fitted(tmp_path, rank=5, residual_smoothing=0)
    weights = torch.tensor([0.5, 0.3, -0.2, 0.1, 0.2, 0.1])
    image = sum(weight * torch.from_numpy(case.image) for weight, case in zip(weights, TRAIN, strict=True))
    assert isinstance(image, Tensor)
    brain_mask = image != 0
    found = detector.anomaly_map(image[None], brain_mask[None], seeds=SEEDS)[0]
    assert found.max() < 1e-4
    image[0, 6:8, 6:8, 5:7] += 0.5
    found = detector.anomaly_map(image[None], brain_mask[None], seeds=SEEDS)[0]
    assert found[0, 6:8, 6:8, 5:7].mean() > 5 * found[brain_mask].mean()


def test_the_fit_to_a_brain_is_the_least_squares_one(tmp_path: Path) -> None:
    detector = fitted(tmp_path, rank=3)
    image, brain_mask = tensors(simulated_case(9, SHAPE))
    modes, deviation = detector.modes.flatten(1), (image[0] - detector.mean).flatten()
    coefficients = torch.linalg.lstsq(modes.T, deviation[:, None]).solution[:, 0]
    expected = detector.mean + (coefficients @ modes).view_as(detector.mean)
    healthy = detector.reconstruction(image, brain_mask, seeds=SEEDS)
    torch.testing.assert_close(healthy[0], expected * brain_mask[0], atol=1e-4, rtol=0)


def test_a_case_without_brain_has_a_map_of_zero(tmp_path: Path) -> None:
    image, brain_mask = tensors(TRAIN[0])
    assert not fitted(tmp_path).anomaly_map(image, torch.zeros_like(brain_mask), seeds=SEEDS).any()


def test_an_unfitted_detector_says_so() -> None:
    image, brain_mask = tensors(TRAIN[0])
    with pytest.raises(RuntimeError, match=r"Got a LowRank .* expected a fitted one"):
        LowRank(LowRank.Config()).anomaly_map(image, brain_mask, seeds=SEEDS)


@pytest.mark.parametrize("name", ["rank", "smoothing", "residual_smoothing"])
def test_settings_that_cannot_work_are_refused(name: str) -> None:
    with pytest.raises(BadValue, match=f"^Got {name} -1, expected 0 or more"):
        LowRank.Config(**{name: -1})

"""Methods of several sequences: the contract, maps by brute force, and the slices that they are trained on."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from baselines.autoencoders.ae import AE
from baselines.autoencoders.dae import DAE
from baselines.simple.edge import Edge
from baselines.simple.lowrank import LowRank
from baselines.simple.prior import Prior
from baselines.simple.smooth import Smooth
from baselines.simple.thresh import Thresh
from baselines.simple.zscore import ZScore
from baselines.slices.sampling import draw_slices, hold_volumes, random_plans
from benchmark.methods import Detector, check_detector, simulated_case
from benchmark.methods.registry import BUILT_IN, load

SHAPE = (16, 16, 7)
TWO = [simulated_case(index, SHAPE, channels=2) for index in range(6)]
SEEDS = torch.zeros(2, dtype=torch.int64)
TAKE_SEVERAL: dict[str, Callable[[int], Detector]] = {
    "thresh": lambda channels: Thresh(Thresh.Config(), channels=channels),
    "edge": lambda channels: Edge(Edge.Config(), channels=channels),
    "prior": lambda channels: Prior(Prior.Config(), channels=channels),
    "smooth": lambda channels: Smooth(Smooth.Config(), channels=channels),
    "zscore": lambda channels: ZScore(ZScore.Config(standardise=True), channels=channels),
    "lowrank": lambda channels: LowRank(LowRank.Config(rank=3), channels=channels),
    "ae": lambda channels: AE(AE.Config(size=16, steps=3, batch_size=4, width=4), channels=channels),
    "dae": lambda channels: DAE(
        DAE.Config(size=16, width=4, depth=3, noise_grid=4, steps=3, batch_size=4), channels=channels
    ),
}


def test_those_methods_and_no_others_say_that_they_take_several() -> None:
    assert {one.name for one in BUILT_IN if load(one).card.several_sequences} == {*TAKE_SEVERAL}


@pytest.mark.parametrize("name", TAKE_SEVERAL)
def test_the_contract_holds_for_two_sequences(name: str) -> None:
    check_detector(lambda: TAKE_SEVERAL[name](2), shape=SHAPE)


def fitted(name: str, channels: list[int], workdir: Path) -> Detector:
    """Fitted on four brains, of whose sequences only these are there."""
    cases = [replace(case, image=case.image[channels]) for case in TWO]
    detector = TAKE_SEVERAL[name](len(channels))
    detector.fit(cases[:3], cases[3:4], seed=0, workdir=workdir)
    return detector.eval()


def mapped(detector: Detector, channels: list[int]) -> torch.Tensor:
    images = torch.stack([torch.from_numpy(case.image[channels]) for case in TWO[4:]])
    brain_masks = torch.stack([torch.from_numpy(case.brain_mask)[None] for case in TWO[4:]])
    with torch.no_grad():
        return detector.anomaly_map(images, brain_masks, seeds=SEEDS)


@pytest.mark.parametrize("name", ["thresh", "smooth", "zscore"])
def test_a_map_is_the_mean_of_the_maps_of_each_sequence(name: str, tmp_path: Path) -> None:
    each = [mapped(fitted(name, [channel], tmp_path), [channel]) for channel in (0, 1)]
    together = mapped(fitted(name, [0, 1], tmp_path), [0, 1])
    torch.testing.assert_close(together, (each[0] + each[1]) / 2)
    assert not torch.allclose(each[0], each[1])


@pytest.mark.parametrize("name", ["thresh", "smooth", "zscore", "lowrank"])
def test_a_sequence_twice_is_that_sequence(name: str, tmp_path: Path) -> None:
    once, twice = (mapped(fitted(name, channels, tmp_path), channels) for channels in ([1], [1, 1]))
    torch.testing.assert_close(once, twice, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["ae", "dae"])
def test_a_map_is_the_mean_residual_of_the_sequences(name: str, tmp_path: Path) -> None:
    detector = fitted(name, [0, 1], tmp_path)
    images = torch.stack([torch.from_numpy(case.image) for case in TWO[4:]])
    brain_masks = torch.stack([torch.from_numpy(case.brain_mask)[None] for case in TWO[4:]])
    maps, made = detector.map_and_reconstruction(images, brain_masks, seeds=SEEDS)
    assert made is not None
    residuals = [(image - healthy).abs() for image, healthy in zip(images.unbind(1), made.unbind(1), strict=True)]
    torch.testing.assert_close(maps[:, 0], (residuals[0] + residuals[1]) / 2 * brain_masks[:, 0])


@pytest.mark.parametrize("augment", [False, True])
@pytest.mark.parametrize("stack", [1, 2])
def test_slices_hold_each_sequence_beside_the_other(augment: bool, stack: int) -> None:
    cpu = torch.device("cpu")
    both = hold_volumes(TWO, "training", cpu)
    each = [replace(both, images=both.images[:, channel : channel + 1]) for channel in (0, 1)]
    plan = random_plans(both, 8, seed=3, stack=stack)
    drawn = draw_slices(both, plan, stack=stack, augment=augment).unflatten(1, (stack, 2))
    torch.testing.assert_close(drawn[:, :, 0], draw_slices(each[0], plan, stack=stack, augment=augment), rtol=0, atol=0)
    same = torch.equal(drawn[:, :, 1], draw_slices(each[1], plan, stack=stack, augment=augment))
    assert same != augment  # each sequence has an augmentation of its own

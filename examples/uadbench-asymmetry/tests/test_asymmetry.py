"""Asymmetry fulfils the contract, is blind to symmetric brains, and finds a lesion on one side."""

from pathlib import Path

import pytest
import torch
from torch import Tensor
from uadbench_asymmetry import Asymmetry

from benchmark.methods import check_detector, simulated_case

SHAPE = (24, 24, 9)
SEEDS = torch.zeros(1, dtype=torch.int64)


def brain(index: int) -> tuple[Tensor, Tensor]:
    """A simulated image and brain mask `(1, 1, X, Y, Z)`."""
    case = simulated_case(index, SHAPE)
    return torch.from_numpy(case.image)[None], torch.from_numpy(case.brain_mask)[None, None]


def fitted(config: Asymmetry.Config, folder: Path) -> Asymmetry:
    cases = [simulated_case(index, SHAPE) for index in range(4)]
    detector = Asymmetry(config)
    detector.fit(cases[:3], cases[3:], seed=0, workdir=folder)
    return detector


@pytest.mark.parametrize("config", [Asymmetry.Config(), Asymmetry.Config(tolerance=0, sign="dark")], ids=str)
def test_it_fulfils_the_contract(config: Asymmetry.Config) -> None:
    check_detector(lambda: Asymmetry(config))


def test_a_symmetric_brain_has_no_anomaly(tmp_path: Path) -> None:
    image, brain_mask = brain(5)
    found = fitted(Asymmetry.Config(tolerance=0), tmp_path).anomaly_map(
        torch.maximum(image, image.flip(2)), brain_mask | brain_mask.flip(2), seeds=SEEDS
    )
    assert float(found.max()) < 1e-5


@pytest.mark.parametrize(("sign", "seen"), [("both", True), ("bright", True), ("dark", False)])
def test_a_bright_lesion_on_one_side_is_seen_by_the_signs_that_count_it(sign: str, seen: bool, tmp_path: Path) -> None:
    detector = fitted(Asymmetry.Config(sign=sign), tmp_path)  # type: ignore[arg-type]
    image, brain_mask = brain(5)
    lesion = torch.zeros_like(brain_mask)
    lesion[..., 6:9, 10:13, 3:6] = True
    before = detector.anomaly_map(image, brain_mask, seeds=SEEDS)[lesion].mean()
    after = detector.anomaly_map(torch.where(lesion, 1.0, image), brain_mask, seeds=SEEDS)[lesion].mean()
    assert (after > before + 1) == seen


def test_volumes_of_another_shape_are_refused(tmp_path: Path) -> None:
    detector = fitted(Asymmetry.Config(), tmp_path)
    image, brain_mask = brain(5)
    with pytest.raises(ValueError, match=r"Got volumes of \(1, 24, 24, 8\), expected \(1, 24, 24, 9\)"):
        detector.anomaly_map(image[..., 1:], brain_mask[..., 1:], seeds=SEEDS)

"""ZScore agrees with NumPy; standardised, it forgives another contrast."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from baselines.simple.zscore import ZScore
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case
from datasets.case import Case
from datasets.errors import BadValue

SHAPE = (14, 13, 12)


def brain(values: float, *, hole: bool = False) -> Case:
    """A constant cube; `hole` takes one corner voxel out of it."""
    brain_mask = np.zeros((8, 8, 8), dtype=bool)
    brain_mask[2:6, 2:6, 2:6] = True
    brain_mask[2, 2, 2] = not hole
    image = np.where(brain_mask, values, 0).astype(np.float32)[None]
    return Case("cube", image, brain_mask, None, np.eye(4))


def fitted(config: ZScore.Config, cases: list[Case], workdir: Path) -> ZScore:
    detector = ZScore(config)
    detector.fit(cases, [], seed=0, workdir=workdir)
    return detector


def anomaly_map(detector: ZScore, case: Case) -> torch.Tensor:
    image, brain_mask = torch.from_numpy(case.image)[None], torch.from_numpy(case.brain_mask)[None, None]
    return detector.anomaly_map(image, brain_mask, seeds=torch.zeros(1, dtype=torch.int64))[0]


@pytest.mark.parametrize("standardise", [False, True])
def test_zscore_fulfils_the_contract(standardise: bool) -> None:
    check_detector(lambda: ZScore(ZScore.Config(standardise=standardise)))


def test_moments_are_those_of_the_stacked_cases(tmp_path: Path) -> None:
    cases = [simulated_case(index, SHAPE) for index in range(5)]
    detector = fitted(ZScore.Config(smoothing=0, floor=1e-9, coverage=1), cases, tmp_path)
    images = np.stack([case.image for case in cases]).astype(np.float64)
    everywhere = np.min([case.brain_mask for case in cases], axis=0)[None]
    assert np.allclose(detector.mean.numpy()[everywhere], images.mean(axis=0)[everywhere], atol=1e-6)
    assert np.allclose(detector.deviation.numpy()[everywhere], images.std(axis=0)[everywhere], atol=1e-6)


def test_a_z_score_by_hand(tmp_path: Path) -> None:
    detector = fitted(ZScore.Config(), [brain(0.3), brain(0.5)], tmp_path)  # mean 0.4, s.d. 0.1
    case = brain(0.7)
    got = anomaly_map(detector, case)
    assert torch.allclose(got[torch.from_numpy(case.brain_mask)[None]], torch.tensor(3.0), atol=1e-4)
    assert (got[torch.from_numpy(~case.brain_mask)[None]] == 0).all()


def test_a_small_deviation_is_floored(tmp_path: Path) -> None:
    detector = fitted(ZScore.Config(), [brain(0.4), brain(0.4)], tmp_path)
    assert float(anomaly_map(detector, brain(0.5)).max()) == pytest.approx(2, abs=1e-4)


@pytest.mark.parametrize(("sign", "bright", "dark"), [("both", 3, 3), ("bright", 3, 0), ("dark", 0, 3)])
def test_sign_chooses_the_deviations_that_count(tmp_path: Path, sign: str, bright: float, dark: float) -> None:
    config = ZScore.Config(sign=sign)  # type: ignore[arg-type]
    detector = fitted(config, [brain(0.3), brain(0.5)], tmp_path)
    assert float(anomaly_map(detector, brain(0.7)).max()) == pytest.approx(bright, abs=1e-4)
    assert float(anomaly_map(detector, brain(0.1)).max()) == pytest.approx(dark, abs=1e-4)


def test_voxels_of_few_brains_take_the_moments_of_all_voxels(tmp_path: Path) -> None:
    cases = [brain(0.3, hole=True), brain(0.5, hole=True), brain(0.9)]
    detector = fitted(ZScore.Config(smoothing=0), cases, tmp_path)
    values = np.concatenate([case.image[0][case.brain_mask] for case in cases]).astype(np.float64)
    for voxel in ((0, 2, 2, 2), (0, 0, 0, 0)):  # inside one brain of three, inside none
        assert float(detector.mean[voxel]) == pytest.approx(values.mean(), abs=1e-6)
        assert float(detector.deviation[voxel]) == pytest.approx(values.std(), abs=1e-6)


def test_autocast_does_not_touch_a_map(tmp_path: Path) -> None:
    detector = fitted(ZScore.Config(), [simulated_case(index, SHAPE) for index in range(3)], tmp_path)
    plain = anomaly_map(detector, simulated_case(4, SHAPE))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(anomaly_map(detector, simulated_case(4, SHAPE)), plain)


def test_an_unfitted_detector_says_so() -> None:
    with pytest.raises(RuntimeError, match="expected a fitted one"):
        anomaly_map(ZScore(ZScore.Config()), brain(0.5))


def test_volumes_of_another_shape_are_refused(tmp_path: Path) -> None:
    detector = fitted(ZScore.Config(), [brain(0.4)], tmp_path)
    with pytest.raises(ValueError, match=r"Got volumes of \(1, 14, 13, 12\), expected \(1, 8, 8, 8\)"):
        anomaly_map(detector, simulated_case(0, SHAPE))


def test_no_training_case_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no healthy training case"):
        fitted(ZScore.Config(), [], tmp_path)


def test_standardised_it_does_not_alarm_at_another_contrast(tmp_path: Path) -> None:
    cases = [simulated_case(index, SHAPE) for index in range(5)]
    new = simulated_case(5, SHAPE)
    brighter = Case("brighter", new.image**0.4, new.brain_mask, None, new.affine)
    rises = []
    for standardise in (False, True):
        detector = fitted(ZScore.Config(standardise=standardise), cases, tmp_path)
        same, other = (anomaly_map(detector, case)[0, new.brain_mask].mean() for case in (new, brighter))
        rises.append(float(other - same))
    assert rises[0] > 0.5
    assert abs(rises[1]) < 0.1


def test_standardised_it_keeps_its_landmarks_with_its_weights(tmp_path: Path) -> None:
    detector = fitted(ZScore.Config(standardise=True), [simulated_case(0, SHAPE)], tmp_path)
    assert float(detector.state_dict()["standardisation.landmarks"].max()) > 0.3
    assert "standardisation.landmarks" not in ZScore(ZScore.Config()).state_dict()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smoothing": -1.0}, r"smoothing -1, expected 0 or more\."),
        ({"smoothing": float("nan")}, r"smoothing nan, expected 0 or more\."),
        ({"floor": 0.0}, r"floor 0, expected more than 0\."),
        ({"floor": -0.5}, r"floor -0.5, expected more than 0\."),
        ({"coverage": 0.0}, r"coverage 0, expected a share of more than 0 and at most 1\."),
        ({"coverage": 1.5}, r"coverage 1.5, expected a share of more than 0 and at most 1\."),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(BadValue, match=f"^Got {message}$"):
        ZScore.Config(**change)

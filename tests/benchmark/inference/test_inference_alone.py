"""A diffusion model's maps, wide enough for Winograd: bit for bit the same in any company, within 1e-4 in any batch."""

import numpy as np
import pytest
import torch
from torch import nn

from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.pddpm import PDDPM
from benchmark.inference import predict as module
from benchmark.inference.predict import predict
from benchmark.inference.settings import Inference
from benchmark.methods.contract.trial import simulated_case
from benchmark.methods.detector import Detector

SHAPE = (16, 16, 7)
CASES = [simulated_case(index, SHAPE) for index in range(5)]
WIDE = {"size": 16, "width": 64, "multipliers": (1, 2), "residual_blocks": 1, "heads": 2, "groups": 8}


@pytest.fixture(scope="module", params=[DDPM, PDDPM])
def detector(request: pytest.FixtureRequest) -> Detector:
    torch.manual_seed(0)
    made = request.param(request.param.Config(**WIDE, ensemble=True))
    for parameter in made.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.05)
    return made


def maps(detector: Detector, order: list[int], inference: Inference) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    predictions = predict(detector, [CASES[index] for index in order], inference, seed=1)
    return {one.case.case_id: one.anomaly_map for one in predictions}


def test_neighbours_order_and_readers_change_no_bit(detector: Detector, monkeypatch: pytest.MonkeyPatch) -> None:
    together = maps(detector, [0, 1, 2, 3, 4], Inference(slice_batch=8))
    assert len(together) == 5
    for order, volumes in (([4, 2, 0, 3, 1], 2), ([3], 1), ([1, 4], 16)):
        for case_id, one in maps(detector, order, Inference(slice_batch=8, volumes=volumes)).items():
            np.testing.assert_array_equal(one, together[case_id])
    threaded = module.read_ahead
    monkeypatch.setattr(module, "read_ahead", lambda items, depth, workers: threaded(items, depth, workers=4))
    for case_id, one in maps(detector, [2, 1], Inference(slice_batch=8, volumes=1)).items():
        np.testing.assert_array_equal(one, together[case_id])


def test_another_slice_batch_differs_by_rounding(detector: Detector) -> None:
    expected = maps(detector, [0, 1], Inference(slice_batch=8))
    assert max(one.max() for one in expected.values()) > 0.1
    for slice_batch in (1, 3, 32):
        for case_id, one in maps(detector, [0, 1], Inference(slice_batch=slice_batch)).items():
            np.testing.assert_allclose(one, expected[case_id], rtol=0, atol=1e-4)

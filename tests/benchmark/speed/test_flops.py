"""Counting operations, and the rate of matrix products."""

import numpy as np
import pytest
import torch

from baselines.autoencoders.ae import AE
from baselines.autoencoders.svae import SVAE
from baselines.simple.zscore import ZScore
from benchmark.methods.contract.trial import simulated_case
from benchmark.methods.detector import Detector
from benchmark.speed.flops import counted, flops_of, matrix_rate

SHAPE = (16, 16, 12)
CASE = simulated_case(0, SHAPE)
SLICES = int(CASE.brain_mask.any(axis=(0, 1)).sum())


def test_a_multiply_add_is_two_operations() -> None:
    assert counted(lambda: torch.ones(3, 4) @ torch.ones(4, 5)) == 2 * 3 * 4 * 5


def test_a_slice_wise_method_costs_its_slices_and_no_padding() -> None:
    ae = AE(AE.Config(size=16, augment=False)).eval()
    slices = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        one = counted(lambda: ae.reconstruct(slices, seeds=torch.zeros(1, dtype=torch.int64)))
    flops = flops_of(ae, CASE)
    assert flops.of(SLICES) == SLICES * one > 0
    assert ae.slice_batch == 32


@pytest.mark.parametrize("of", [SVAE(SVAE.Config(size=16, augment=False)).eval()])
def test_a_method_on_stacks_costs_all_of_the_case(of: Detector) -> None:
    images, brains = torch.from_numpy(CASE.image)[None], torch.from_numpy(CASE.brain_mask)[None, None]
    seeds = torch.zeros(1, dtype=torch.int64)
    of.slice_batch = 1
    with torch.no_grad():
        expected = counted(lambda: of.map_and_reconstruction(images, brains, seeds=seeds))
    assert flops_of(of, CASE).of(SLICES) == expected > 0


def test_a_method_without_products_counts_none() -> None:
    zscore = ZScore(ZScore.Config())
    zscore.fit([CASE, simulated_case(1, SHAPE)], [CASE], seed=0, workdir=None)  # type: ignore[arg-type]
    assert flops_of(zscore, CASE).of(SLICES) == 0


def test_the_matrix_rate_is_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmark.speed.flops.SIDES", {"cpu": 256})
    monkeypatch.setattr("benchmark.speed.flops.SECONDS", 0.0)
    monkeypatch.setattr("benchmark.speed.flops._seconds", lambda left, right: 0.5)
    assert matrix_rate("cpu", "fp32") == 2 * 256**3 / 0.5
    monkeypatch.undo()
    monkeypatch.setattr("benchmark.speed.flops.SECONDS", 0.0)
    assert np.isfinite(matrix_rate("cpu", "fp32"))

"""PaDiM: running covariances, Mahalanobis distances, and the contract."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_volumes import ENCODER, SHAPE, image

from baselines.features.padim import PaDiM, RunningCovariance, unpacked
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case

TINY = PaDiM.Config(**ENCODER, dimensions=6)  # type: ignore[arg-type]
CPU = torch.device("cpu")


def test_covariances_are_those_of_numpy_over_the_brains_that_are_present() -> None:
    rng = np.random.default_rng(0)
    features = (5 + rng.standard_normal((12, 3, 4))).astype(np.float32)  # brains, cells, channels
    present = rng.random((12, 3)) < 0.8
    moments = RunningCovariance(3, 4, CPU)
    for brain, there in zip(features, present, strict=True):
        moments.add(torch.from_numpy(brain), torch.from_numpy(there))
    for cell in range(3):
        seen = features[present[:, cell], cell]
        np.testing.assert_allclose(moments.mean[cell], seen.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(moments.products[cell] / (len(seen) - 1), np.cov(seen.T), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("epsilon", [0.01, 1.0])
def test_whitening_gives_the_mahalanobis_distance_of_the_paper(epsilon: float) -> None:
    rng = np.random.default_rng(1)
    features = rng.standard_normal((30, 2, 5)).astype(np.float32) * [1, 2, 3, 1, 0.1]
    moments = RunningCovariance(2, 5, CPU)
    for brain in features.astype(np.float32):
        moments.add(torch.from_numpy(brain), torch.ones(2, dtype=torch.bool))
    variance = np.mean([features[:, cell].var(axis=0, ddof=1) for cell in range(2)], axis=0)
    variance = variance + features.mean(axis=0).var(axis=0)
    triangles = unpacked(moments.whitening(epsilon)).numpy()
    x = rng.standard_normal(5)
    for cell in range(2):
        covariance = np.cov(features[:, cell].T) + epsilon * np.diag(variance)
        deviation = x - features[:, cell].mean(axis=0)
        expected = np.sqrt(deviation @ np.linalg.inv(covariance) @ deviation)
        assert np.linalg.norm(triangles[cell] @ deviation) == pytest.approx(expected, rel=1e-3)


def test_fewer_brains_than_dimensions_are_regularised(tmp_path: Path) -> None:
    padim = PaDiM(replace(TINY, dimensions=12))
    cases = [simulated_case(index, SHAPE) for index in range(3)]
    padim.fit(cases[:2], cases[2:], seed=0, workdir=tmp_path)
    assert padim.whitening.isfinite().all()
    assert padim.whitening.shape == (int(padim.known.sum()), 12 * 13 // 2)


def test_a_changed_patch_stands_out_where_it_was_changed(tmp_path: Path) -> None:
    cases = [simulated_case(index, SHAPE) for index in range(12)]
    padim = PaDiM(replace(TINY, smoothing=0.0))
    padim.fit(cases[:10], cases[10:], seed=0, workdir=tmp_path)
    one, brain_mask = image(10)
    changed = one.clone()
    changed[0, 8:12, 8:12, 3] = 1.0
    maps = padim.anomaly_map(torch.stack([one, changed]), torch.stack([brain_mask] * 2), seeds=torch.arange(2))
    gain = (maps[1] - maps[0])[0]
    assert gain[9:11, 9:11, 3].mean() > 5 * gain[brain_mask[0]].abs().mean()


def test_memory_does_not_grow_with_the_cohort(tmp_path: Path) -> None:
    sizes = []
    for count in (2, 6):
        padim = PaDiM(TINY)
        cases = [simulated_case(3, SHAPE) for _ in range(count + 1)]
        padim.fit(cases[:count], cases[count:], seed=0, workdir=tmp_path)
        sizes.append(sum(tensor.numel() for tensor in padim.state_dict().values()))
    assert sizes[0] == sizes[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dimensions": 0}, "dimensions 0, expected 1 or more"),
        ({"epsilon": 0.0}, "epsilon 0, expected more than 0"),
        ({"coverage": 1.5}, r"coverage 1\.5, expected a share"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


def test_padim_fulfils_the_contract() -> None:
    check_detector(lambda: PaDiM(TINY))

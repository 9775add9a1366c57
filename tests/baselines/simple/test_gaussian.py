"""The filter agrees with SciPy's and does not fade at the brain's edge."""

import numpy as np
import torch
from scipy import ndimage

from baselines.simple.gaussian import smoothed
from benchmark.methods.contract.trial import simulated_case

SHAPE = (14, 13, 12)


def test_smoothing_agrees_with_scipys_normalised_filter() -> None:
    case = simulated_case(0, SHAPE)
    inside = case.brain_mask.astype(np.float64)
    above, below = (
        ndimage.gaussian_filter(volume, 1.3, mode="constant", truncate=5 / 1.3)
        for volume in (case.image[0] * inside, inside)
    )
    expected = np.where(case.brain_mask, above / np.where(below > 0, below, 1), 0)
    got = smoothed(torch.from_numpy(case.image), torch.from_numpy(case.brain_mask)[None], 1.3)
    assert np.abs(got[0].numpy() - expected).max() < 1e-5


def test_a_constant_brain_stays_constant_to_its_edge() -> None:
    brain_mask = torch.zeros(1, 8, 8, 8, dtype=torch.bool)
    brain_mask[:, 2:6, 2:6, 2:6] = True
    image = torch.where(brain_mask, 0.6, 0.0)
    assert torch.allclose(smoothed(image, brain_mask, 2.0), image, atol=1e-6)


def test_without_a_filter_only_the_background_goes() -> None:
    brain_mask = torch.zeros(1, 3, 3, 3, dtype=torch.bool)
    brain_mask[:, 1] = True
    image = torch.rand(1, 3, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(smoothed(image, brain_mask, 0), image * brain_mask)

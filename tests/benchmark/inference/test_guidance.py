"""Slices reconstructed under other conditioning images."""

from typing import Any

import numpy as np
import pytest
import torch

from benchmark.inference import guidance

RNG = np.random.default_rng(0)
IMAGE = RNG.random((8, 6)).astype(np.float32)


class Conditioned(torch.nn.Module):
    """Adds what is noised, what conditions and the level, so that each can be told from the sum."""

    def reconstruct_guided(
        self, slices: torch.Tensor, guides: torch.Tensor, *, level: int, seeds: torch.Tensor
    ) -> torch.Tensor:
        return slices + 10 * guides + level


def test_a_guide_keeps_its_left_part_and_takes_the_contrast() -> None:
    made = guidance.guide_of(IMAGE, 0.5, 2.0)
    np.testing.assert_allclose(made[:4], IMAGE[:4] ** 2)
    assert not made[4:].any()
    np.testing.assert_array_equal(guidance.guide_of(IMAGE, 1.0, 1.0), IMAGE)


def test_what_is_noised_and_what_conditions_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guidance, "load_detector", lambda folder, device: Conditioned())
    folder: Any = None
    made = guidance.guided_slices(folder, IMAGE, levels=(500, 1000), crops=(0.5, 1.0), contrasts=(2.0,), device="cpu")
    assert list(made) == [(500, 0.5, 2.0), (500, 1.0, 2.0), (1000, 0.5, 2.0), (1000, 1.0, 2.0)]
    for (level, crop, contrast), (guide, plane) in made.items():
        np.testing.assert_array_equal(guide, guidance.guide_of(IMAGE, crop, contrast))
        np.testing.assert_allclose(plane, IMAGE + 10 * guide + level, rtol=1e-6)

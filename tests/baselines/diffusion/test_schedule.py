"""The noise process against the published values and against its own definition."""

import math

import pytest
import torch
from torch import Tensor

from baselines.diffusion.schedule import STEPS, add_noise, cosine_alpha_bar, one_step


@pytest.mark.parametrize(("t", "share"), [(250, 0.847), (500, 0.494), (750, 0.144)])
def test_signal_left_at_the_published_noise_levels(t: int, share: float) -> None:
    assert cosine_alpha_bar()[t - 1].item() == pytest.approx(share, abs=5e-4)


def test_signal_share_is_the_squared_cosine_until_betas_are_clipped() -> None:
    alpha_bar = cosine_alpha_bar()
    start = math.cos(0.008 / 1.008 * math.pi / 2) ** 2
    for t in (1, 10, 400, 999):
        expected = math.cos((t / STEPS + 0.008) / 1.008 * math.pi / 2) ** 2 / start
        assert alpha_bar[t - 1].item() == pytest.approx(expected, rel=1e-9)
    assert (alpha_bar[-1] / alpha_bar[-2]).item() == pytest.approx(0.001)


def test_signal_share_falls_from_nearly_one_to_nearly_zero() -> None:
    alpha_bar = cosine_alpha_bar()
    assert alpha_bar.shape == (STEPS,)
    assert (alpha_bar.diff() < 0).all()
    assert alpha_bar[0] > 0.9999
    assert 0 < alpha_bar[-1] < 1e-8


def test_noising_keeps_unit_variance_at_every_level() -> None:
    generator = torch.Generator().manual_seed(0)
    clean, noise = (torch.randn(5, 1, 100, 100, generator=generator) for _ in range(2))
    noised = add_noise(clean, noise, torch.tensor([0.0, 0.2, 0.5, 0.9, 1.0]))
    assert torch.equal(noised[0], noise[0])
    assert torch.equal(noised[4], clean[4])
    assert noised.flatten(1).var(dim=1).tolist() == pytest.approx([1.0] * 5, abs=0.06)


def test_one_step_hands_the_network_its_noised_slice_and_the_index_below_t() -> None:
    clean, noise, t = torch.full((2, 1, 1, 1), 0.5), torch.full((2, 1, 1, 1), 2.0), torch.tensor([1, 3])
    alpha_bar = torch.tensor([0.81, 0.5, 0.36])
    seen: list[Tensor] = []

    def network(x: Tensor, index: Tensor) -> Tensor:
        seen.extend([x.flatten(), index])
        return -x

    reconstructed = one_step(network, clean, noise, t, alpha_bar)
    expected = [0.9 * 0.5 + math.sqrt(0.19) * 2, 0.6 * 0.5 + 0.8 * 2]
    assert seen[0].tolist() == pytest.approx(expected)
    assert seen[1].tolist() == [0, 2]
    assert torch.equal(reconstructed.flatten(), -seen[0])

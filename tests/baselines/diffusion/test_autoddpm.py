"""AutoDDPM: what is masked, what is filled in, what is left alone, and with whose weights."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from baselines.diffusion.autoddpm import AutoDDPM, noise_levels
from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.schedule import cosine_alpha_bar, posterior_draw
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak

TINY = AutoDDPM.Config(
    size=16,
    width=8,
    multipliers=(1, 2),
    residual_blocks=1,
    heads=2,
    groups=4,
    steps=2,
    batch_size=4,
    augment=False,
    noise="gaussian",
    mask_steps=4,
    fuse_steps=3,
    resamplings=2,
)


class Oracle(nn.Module):
    """Stands in for a network that knows the healthy slices, in [-1, 1]; counts its passes and keeps its inputs."""

    def __init__(self, answer: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.answer = answer
        self.seen: list[tuple[Tensor, int]] = []

    def forward(self, x: Tensor, index: Tensor, code: Tensor | None = None) -> Tensor:
        assert index.unique().numel() == 1
        self.seen.append((x, int(index[0]) + 1))
        return self.answer(x)


def detector(config: AutoDDPM.Config = TINY) -> AutoDDPM:
    """One with random instead of zero weights, as if trained."""
    torch.manual_seed(0)
    autoddpm = AutoDDPM(config)
    for parameter in autoddpm.parameters():
        nn.init.normal_(parameter, std=0.2)
    return autoddpm.eval()


def with_oracle(config: AutoDDPM.Config, healthy: Tensor) -> tuple[AutoDDPM, Oracle]:
    autoddpm, oracle = detector(config), Oracle(lambda x: 2 * healthy - 1)
    autoddpm.unet = oracle  # type: ignore[assignment]
    return autoddpm, oracle


@torch.no_grad()
def restored(autoddpm: AutoDDPM, slices: Tensor, seeds: Tensor) -> tuple[Tensor, Tensor]:
    return autoddpm.restore(slices, seeds=seeds)


def brains(count: int) -> Tensor:
    """Discs of random texture on a background of 0, `(count, 1, 16, 16)`."""
    axis = torch.linspace(-1, 1, 16)
    return (0.3 + 0.4 * torch.rand(count, 1, 16, 16)) * (axis[:, None] ** 2 + axis**2 < 0.8)


def test_it_has_the_network_and_the_training_of_the_plain_ddpm() -> None:
    plain, auto = DDPM.Config(), AutoDDPM.Config()
    with torch.device("meta"):
        weights = [made.state_dict() for made in (DDPM(plain), AutoDDPM(auto))]
    first, second = ({name: weight.shape for name, weight in one.items()} for one in weights)
    assert first == second
    assert AutoDDPM.loss is DDPM.loss
    assert (auto.t_test, auto.mask_steps, auto.t_fuse, auto.fuse_steps, auto.resamplings) == (200, 200, 50, 50, 5)


def test_levels_are_even_and_end_at_zero() -> None:
    assert noise_levels(200, 200) == list(range(200, -1, -1))
    assert noise_levels(50, 5) == [50, 40, 30, 20, 10, 0]
    for steps in range(1, 38):
        levels = noise_levels(37, steps)
        assert (levels[0], levels[-1], len(set(levels))) == (37, 0, steps + 1)


@pytest.mark.parametrize(("t", "s"), [(2, 1), (500, 499), (500, 100), (900, 0)])
def test_draws_of_the_posterior_keep_the_distribution_of_the_noise_process(t: int, s: int) -> None:
    """Noised to t and drawn back to s with the true x_0, a slice is distributed as if noised to s."""
    generator = torch.Generator().manual_seed(0)
    alpha_bar = [1.0, *cosine_alpha_bar().tolist()]
    clean = torch.full((200_000,), 0.7, dtype=torch.float64)
    first, second = torch.randn(2, len(clean), generator=generator, dtype=torch.float64)
    noised = alpha_bar[t] ** 0.5 * clean + (1 - alpha_bar[t]) ** 0.5 * first
    drawn = posterior_draw(noised, clean, second, alpha_bar=alpha_bar[t], lower_alpha_bar=alpha_bar[s])
    assert float(drawn.mean()) == pytest.approx(0.7 * alpha_bar[s] ** 0.5, abs=0.01)
    assert float(drawn.std()) == pytest.approx((1 - alpha_bar[s]) ** 0.5, rel=0.01, abs=1e-12)


def test_a_lesion_is_masked_filled_in_and_scored_and_the_rest_left_as_it_is() -> None:
    healthy = brains(3)
    slices = healthy.clone()
    slices[:, :, 6:9, 6:9] = 1.0
    lesion = slices != healthy
    autoddpm, _ = with_oracle(replace(TINY, masked=0.05), healthy)
    scores, fused = restored(autoddpm, slices, torch.arange(3))
    torch.testing.assert_close(fused, healthy, atol=1e-5, rtol=0)
    assert (scores[lesion] > 0.05).all()
    assert scores[~lesion].max() < 1e-6


def test_outside_of_the_mask_a_slice_stays_bit_for_bit_its_own_whatever_the_network_says() -> None:
    slices = brains(2)
    scores, fused = restored(detector(), slices, torch.arange(2))
    changed = (fused - slices).abs() > 1e-6
    brain = int((slices[0] > 0).sum())
    assert 0 < int(changed[0].sum()) <= 9 * (0.05 * brain + 1)  # dilated by a pixel
    assert not scores[~changed].gt(1e-6).any()


def test_a_slice_without_brain_is_left_alone() -> None:
    scores, fused = restored(detector(), torch.zeros(1, 1, 16, 16), torch.arange(1))
    assert not scores.any()
    assert fused.abs().max() < 1e-6


@pytest.mark.parametrize("share", [0.01, 0.05, 0.3])
def test_the_share_with_the_largest_residual_has_likelihood_one(share: float) -> None:
    torch.manual_seed(0)
    brain = torch.zeros(2, 1, 16, 16, dtype=torch.bool)
    brain[0, :, 2:12, 2:12], brain[1, :, 4:9, 4:9] = True, True
    residual = torch.rand(2, 1, 16, 16)
    likelihood = detector(replace(TINY, masked=share))._likelihood(residual, brain)
    assert not likelihood[~brain].any()
    for one, inside, size in zip(likelihood, brain, residual, strict=True):
        expected = int(-(-(share * inside.sum()) // 1))
        assert int((one == 1).sum()) == expected
        assert size[one == 1].min() >= size[inside & (one < 1)].max()


def test_the_network_is_asked_at_the_published_levels_and_as_often_as_stated() -> None:
    autoddpm, oracle = with_oracle(replace(TINY, t_test=40, t_fuse=30), brains(1))
    restored(autoddpm, brains(1), torch.arange(1))
    assert [t for _, t in oracle.seen] == [40, 30, 20, 10, 30, 30, 20, 20, 10]
    assert len(oracle.seen) == autoddpm.passes


def test_resampled_steps_differ_only_by_their_noise() -> None:
    slices = brains(1)
    autoddpm, oracle = with_oracle(replace(TINY, t_fuse=30), slices)
    restored(autoddpm, slices, torch.arange(1))
    fused = [x for x, _ in oracle.seen[4:]]
    assert not torch.equal(fused[0], fused[1])
    torch.testing.assert_close(fused[0].std(), fused[1].std(), rtol=0.2, atol=0)


def test_restorations_depend_on_slice_and_seed_never_on_neighbours() -> None:
    autoddpm, slices, seeds = detector(), brains(3), torch.arange(3)
    whole = torch.cat(restored(autoddpm, slices, seeds), dim=1)
    for i in range(3):
        others, other_seeds = brains(3), torch.randint(2**62, (3,))
        others[i], other_seeds[i] = slices[i], seeds[i]
        assert torch.equal(torch.cat(restored(autoddpm, others, other_seeds), dim=1)[i], whole[i])
    assert not torch.allclose(torch.cat(restored(autoddpm, slices, seeds + 1), dim=1), whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ensemble": True, "t_test": 200}, "ensemble true, which does nothing here"),
        ({"masked": 0.0}, "masked 0, expected a share between 0 and 1"),
        ({"t_fuse": 0}, r"t_fuse 0, expected a noise level in 1\.\.1000"),
        ({"t_test": 3, "mask_steps": 4}, r"mask_steps 4, expected 1\.\.3"),
        ({"fuse_steps": 51}, r"fuse_steps 51, expected 1\.\.50"),
        ({"resamplings": 0}, r"resamplings 0, expected 1\.\."),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


@pytest.mark.parametrize("batch", [1, 8])
def test_memory_stated_holds_what_a_batch_takes(batch: int) -> None:
    autoddpm = detector(AutoDDPM.Config(**AutoDDPM.presets["quick"]))
    autoddpm.slice_batch = batch
    size = autoddpm.config.size
    slices, seeds = torch.rand(batch, 1, size, size), torch.arange(batch)
    with torch.inference_mode():
        autoddpm.restore(slices, seeds=seeds)  # the noise's lattice is kept
        held = live_peak(lambda: autoddpm.restore(slices, seeds=seeds), torch.device("cpu"))
    assert held < autoddpm.memory_bound((size, size, 1), 0) < 3 * held


@pytest.mark.parametrize("noise", ["gaussian", "simplex"])
def test_autoddpm_fulfils_the_contract(noise: Any) -> None:
    check_detector(lambda: AutoDDPM(replace(TINY, noise=noise)))

"""DDPM: training lowers the loss; reconstructions depend on slice and seed, and on nothing else."""

from dataclasses import replace

import pytest
import torch
from learning import falls, losses_of
from torch import Tensor, nn

from baselines.diffusion.ddpm import DDPM
from baselines.diffusion.noise import gaussian_noise, simplex_noise
from baselines.diffusion.schedule import cosine_alpha_bar
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak

TINY = DDPM.Config(size=16, width=8, multipliers=(1, 2), residual_blocks=1, heads=2, groups=4)


def detector(config: DDPM.Config = TINY) -> DDPM:
    """One with random instead of zero weights, as if trained."""
    torch.manual_seed(0)
    ddpm = DDPM(config)
    for parameter in ddpm.parameters():
        nn.init.normal_(parameter, std=0.2)
    return ddpm.eval()


def discs(count: int, size: int = 16) -> Tensor:
    """Bright discs of several sizes, `(count, 1, size, size)` in [0, 1]."""
    axis = torch.linspace(-1, 1, size)
    radius = (axis[:, None] ** 2 + axis**2).sqrt()
    return torch.stack([0.8 * (radius < 0.4 + 0.4 * i / count) for i in range(count)])[:, None].float()


@torch.no_grad()
def reconstructed(ddpm: DDPM, slices: Tensor, seeds: Tensor) -> Tensor:
    return ddpm.reconstruct(slices, seeds=seeds)


class Echo(nn.Module):
    """A network that hands back what it is given, so that one sees the noised slice."""

    def forward(self, x: Tensor, index: Tensor, code: Tensor | None = None) -> Tensor:
        return x


def test_defaults_are_the_published_network() -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in DDPM(DDPM.Config()).parameters()) == 37_513_857


def test_state_holds_weights_only() -> None:
    names = {name for name, _ in detector().named_parameters()}
    assert set(detector().state_dict()) == names


def test_the_quick_preset_is_the_same_code_with_a_narrow_network() -> None:
    ddpm = DDPM(DDPM.Config(**DDPM.presets["quick"]))
    assert sum(weight.numel() for weight in ddpm.parameters()) < 3e6


@pytest.mark.parametrize("noise", ["simplex", "gaussian"])
def test_training_lowers_the_loss(noise: str) -> None:
    torch.manual_seed(1)
    ddpm, slices = DDPM(replace(TINY, noise=noise)), discs(4)
    losses = losses_of(ddpm, slices, steps=40)
    assert falls(losses)


def test_an_untrained_network_has_the_loss_of_a_grey_slice() -> None:
    slices = discs(4)
    assert DDPM(TINY).loss(slices).item() == pytest.approx((2 * slices - 1).abs().mean().item(), rel=1e-5)


def test_the_caller_seeds_the_training_noise() -> None:
    ddpm, slices = detector(), discs(3)
    losses = []
    for seed in (4, 4, 5):
        torch.manual_seed(seed)
        losses.append(ddpm.loss(slices).item())
    assert losses[0] == losses[1] != losses[2]


def test_training_noise_is_one_field_a_slice_or_one_for_the_batch() -> None:
    for field, distinct in [("slice", 6), ("shared", 1)]:
        ddpm = detector(replace(TINY, noise_field=field))
        drawn: list[Tensor] = []
        ddpm.noise = lambda seeds, like, stream=0, drawn=drawn: drawn.append(seeds) or torch.zeros_like(like)  # type: ignore[method-assign,misc]
        ddpm.loss(discs(6))
        assert len(drawn[0].unique()) == distinct


@pytest.mark.parametrize("kind", ["simplex", "gaussian"])
def test_the_noised_slice_comes_from_seed_and_noise_level(kind: str) -> None:
    ddpm = detector(replace(TINY, noise=kind, t_test=300))
    ddpm.unet = Echo()  # type: ignore[assignment]
    slices, seeds = discs(2), torch.tensor([7, 8])
    noise = {"simplex": simplex_noise, "gaussian": gaussian_noise}[kind](seeds, (16, 16), stream=300)
    share = cosine_alpha_bar()[299].float()
    expected = share.sqrt() * (2 * slices - 1) + (1 - share).sqrt() * noise
    torch.testing.assert_close(reconstructed(ddpm, slices, seeds), (expected + 1) / 2)


def test_reconstructions_depend_on_slice_and_seed_never_on_neighbours() -> None:
    ddpm, slices, seeds = detector(), discs(4), torch.arange(4)
    whole = reconstructed(ddpm, slices, seeds)
    for i in range(4):
        others_slices, others_seeds = torch.rand(4, 1, 16, 16), torch.randint(2**62, (4,))
        others_slices[i], others_seeds[i] = slices[i], seeds[i]
        assert torch.equal(reconstructed(ddpm, others_slices, others_seeds)[i], whole[i])
        alone = reconstructed(ddpm, slices[i : i + 1], seeds[i : i + 1])[0]
        torch.testing.assert_close(alone, whole[i], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(reconstructed(ddpm, slices, seeds + 1), whole)


def test_a_case_alone_has_the_map_it_has_in_a_batch_bit_for_bit() -> None:
    ddpm = detector()
    ddpm.slice_batch = 4
    images = discs(6).reshape(2, 3, 16, 16).permute(0, 2, 3, 1)[:, None].contiguous()  # (2, 1, 16, 16, 3)
    brain_masks, seeds = torch.ones_like(images, dtype=torch.bool), torch.tensor([5, 6])
    together = ddpm.anomaly_map(images, brain_masks, seeds=seeds)
    for i in range(2):
        alone = ddpm.anomaly_map(images[i : i + 1], brain_masks[i : i + 1], seeds=seeds[i : i + 1])
        assert torch.equal(alone, together[i : i + 1])


def test_the_ensemble_is_the_mean_of_its_noise_levels() -> None:
    slices, seeds = discs(2), torch.tensor([1, 2])
    ensemble = detector(replace(TINY, ensemble=True, ensemble_steps=(100, 900)))
    single = [detector(replace(TINY, t_test=t)) for t in (100, 900)]
    mean = sum(reconstructed(ddpm, slices, seeds) for ddpm in single) / 2
    torch.testing.assert_close(reconstructed(ensemble, slices, seeds), mean, atol=1e-6, rtol=1e-6)
    assert not torch.allclose(mean, reconstructed(single[0], slices, seeds))


def test_reconstructions_are_not_clamped() -> None:
    ddpm = detector()
    ddpm.unet = Echo()  # type: ignore[assignment]
    result = reconstructed(ddpm, discs(4), torch.arange(4))
    assert result.min() < 0


def test_slices_of_a_volume_share_a_noise_field_only_where_asked() -> None:
    seeds = torch.tensor([3, 4])
    assert detector(replace(TINY, noise_field="shared")).slice_seeds(seeds, 3).tolist() == [[3] * 3, [4] * 3]
    assert len(detector().slice_seeds(seeds, 3).unique()) == 6


@pytest.mark.parametrize(
    "config",
    [
        DDPM.Config(**DDPM.presets["quick"]),
        DDPM.Config(**DDPM.presets["small"]),
        TINY,
        replace(TINY, size=48, multipliers=(1, 1, 8)),
        replace(TINY, size=48, residual_blocks=4),
        replace(TINY, size=32, multipliers=(2,)),
    ],
)
def test_memory_stated_holds_what_a_batch_takes_and_not_twice_as_much(config: DDPM.Config) -> None:
    ddpm = DDPM(config).eval()
    ddpm.slice_batch = 8
    slices, seeds = torch.rand(8, 1, config.size, config.size), torch.arange(8)
    reconstructed(ddpm, slices, seeds)  # the noise's lattice is kept
    held = live_peak(lambda: reconstructed(ddpm, slices, seeds), torch.device("cpu"))
    assert held < ddpm.memory_bound((config.size, config.size, 1), 0) < 2 * held


def test_ddpm_fulfils_the_contract() -> None:
    check_detector(lambda: DDPM(replace(TINY, steps=2, batch_size=4, augment=False)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"t_test": 0}, r"t_test 0 and .* expected noise levels in 1\.\.1000"),
        ({"ensemble_steps": (500, 1001)}, r"\(500, 1001\), expected noise levels in 1\.\.1000"),
        ({"ensemble_steps": ()}, r"ensemble_steps \(\), expected"),
        ({"ensemble_steps": (100, 200)}, "do nothing while ensemble is false"),
        ({"ensemble": True, "t_test": 250}, "t_test 250, which does nothing while ensemble is true"),
        ({"groups": 3}, "width 8, expected a multiple of 3"),
        ({"size": 15}, "size 15, expected a multiple of 2"),
        ({"steps": 0}, "steps 0"),
    ],
)
def test_settings_that_cannot_work_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(TINY, **change)


@pytest.mark.parametrize("ensemble", [False, True])
@torch.no_grad()
def test_all_passes_stacked_give_what_one_after_the_other_gives(
    ensemble: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ddpm = detector(replace(TINY, ensemble=ensemble))
    seen: list[int] = []
    ddpm.unet.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    slices, seeds = torch.rand(5, 1, 16, 16, generator=torch.Generator().manual_seed(1)), torch.arange(5)
    apart = ddpm.reconstruct(slices, seeds=seeds)
    bound = ddpm.values_per_pixel
    monkeypatch.setattr(DDPM, "stacks_passes", True)
    torch.testing.assert_close(ddpm.reconstruct(slices, seeds=seeds), apart, rtol=0, atol=1e-5)
    assert seen == [5] * ddpm.passes + [5 * ddpm.passes]
    assert ddpm.values_per_pixel >= (ddpm.passes - 1) * bound

"""f-AnoGAN: penalty and losses by hand, whose weights move when, the contract, and a GAN that comes closer."""

import gc
import weakref
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from baselines.gan.fanogan import FAnoGAN
from baselines.gan.wgan import Critic, Features, Generator, critic_loss, generator_loss, gradient_penalty
from baselines.training.stage import Stage
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import live_peak, simulated_case
from datasets.case import Case

TINY = FAnoGAN.Config(
    size=16, steps=5, batch_size=4, augment=False, latent=8, width=4, multipliers=(1, 2, 2), critic_steps=2
)


class LinearCritic(nn.Module):
    """<w, x>, of which the gradient is w everywhere."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = nn.Parameter(weight)

    def forward(self, slices: Tensor) -> Tensor:
        return (slices * self.weight).sum(dim=(1, 2, 3))


def brains(count: int, size: int = 16) -> list[Case]:
    return [simulated_case(index, (size, size, 5)) for index in range(count)]


def slices_of(cases: Sequence[Case]) -> Tensor:
    return torch.cat([torch.from_numpy(case.image).permute(3, 0, 1, 2) for case in cases])


def weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.named_parameters()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(tensor, second[name]) for name, tensor in first.items())


def take_turns(stage: Stage, slices: Tensor, steps: int) -> Counter[str]:
    """Train as a fit does, without its log; how often each player had its turn."""
    turns = Counter[str]()
    stage.network.train()
    for step in range(1, steps + 1):
        for player in stage.players:
            if step % player.every == 0:
                player.optimizer.zero_grad()
                player.loss(slices).backward()
                player.optimizer.step()
                turns[player.name] += 1
    return turns


@pytest.mark.parametrize("norm", [0.0, 1.0, 3.0])
def test_the_penalty_of_a_linear_critic_is_that_of_its_weights_norm(norm: float) -> None:
    weight = torch.zeros(1, 2, 2)
    weight[0, 0, 1] = norm
    critic = LinearCritic(weight)
    penalty = gradient_penalty(critic, torch.rand(5, 1, 2, 2), torch.rand(5, 1, 2, 2))
    assert penalty.item() == pytest.approx((norm - 1) ** 2)
    penalty.backward()
    assert critic.weight.grad is not None
    assert float(critic.weight.grad[0, 0, 1]) == pytest.approx(2 * (norm - 1) if norm else 0)


def test_the_penalty_is_taken_at_one_random_point_between_each_pair() -> None:
    class Squared(nn.Module):
        """Its gradient at x is x, so that the penalty tells where it was taken."""

        def forward(self, slices: Tensor) -> Tensor:
            return 0.5 * slices.square().sum(dim=(1, 2, 3))

    torch.manual_seed(0)
    shares = torch.rand(3, 1, 1, 1)
    real, fake = torch.rand(3, 1, 2, 2), 3 + torch.rand(3, 1, 2, 2)
    between = shares * real + (1 - shares) * fake
    expected = sum((float(one.square().sum()) ** 0.5 - 1) ** 2 for one in between) / 3
    torch.manual_seed(0)
    assert gradient_penalty(Squared(), real, fake).item() == pytest.approx(expected, rel=1e-5)


def test_the_critic_steps_down_minus_the_distance_plus_ten_penalties() -> None:
    weight = torch.tensor([[[2.0, 0.0], [0.0, 0.0]]])
    real, fake = torch.full((4, 1, 2, 2), 0.75), torch.full((4, 1, 2, 2), -0.5, requires_grad=True)
    loss = critic_loss(LinearCritic(weight), real, fake, penalty=10)
    assert loss.item() == pytest.approx(-(1.5 + 1.0) + 10 * (2 - 1) ** 2)
    assert generator_loss(LinearCritic(weight), fake).item() == pytest.approx(1.0)
    loss.backward()
    assert fake.grad is None


def test_the_penalty_is_float32_under_autocast() -> None:
    critic = Critic(16, width=4, multipliers=(1, 2))
    real, fake = torch.rand(2, 2, 1, 16, 16)
    torch.manual_seed(0)
    expected = gradient_penalty(critic, real, fake)
    torch.manual_seed(0)
    with torch.autocast("cpu", torch.bfloat16):
        penalty = gradient_penalty(critic, real, fake)
    assert penalty.dtype == torch.float32
    assert torch.equal(penalty, expected)


def test_a_critics_step_leaves_no_graph_behind() -> None:
    kept: list[weakref.ref[Tensor]] = []

    class Watched(Critic):
        def forward(self, slices: Tensor) -> Tensor:
            kept.append(weakref.ref(slices))
            return super().forward(slices)

    critic = Watched(16, width=4, multipliers=(1, 2))
    gc.disable()  # a cycle would be freed by chance otherwise
    try:
        critic_loss(critic, torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16), penalty=10).backward()
        assert len(kept) == 3
        assert all(reference() is None for reference in kept)
    finally:
        gc.enable()


def test_the_critic_judges_each_slice_alone() -> None:
    critic, slices = Critic(16, width=4, multipliers=(1, 2, 2)).train(), torch.rand(3, 1, 16, 16)
    alone = torch.cat([critic(slices[index : index + 1]) for index in range(3)])
    torch.testing.assert_close(critic(slices), alone)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in critic.modules())


@pytest.mark.parametrize(("size", "multipliers", "edge"), [(96, (1, 2, 4, 8, 8), 6), (48, (1, 2, 4, 8), 6)])
def test_generator_and_features_mirror_each_other(size: int, multipliers: tuple[int, ...], edge: int) -> None:
    features = Features(size, width=2, multipliers=multipliers, norm=nn.BatchNorm2d)
    generator = Generator(size, latent=5, width=2, multipliers=multipliers)
    made = generator(torch.randn(2, 5))
    assert made.shape == (2, 1, size, size)
    assert made.abs().max() <= 1
    assert features(made).shape == (2, features.count) == (2, 2 * 8 * edge**2)


def test_defaults_are_the_published_networks() -> None:
    with torch.device("meta"):
        detector = FAnoGAN(FAnoGAN.Config())
    sizes = [sum(weight.numel() for weight in part.parameters()) for part in detector.children()]
    assert sizes == [9_860_289, 7_500_929, 9_841_920]
    critic, generator = next(detector.stages()).players
    assert (critic.every, generator.every) == (1, 5)
    for player in (critic, generator):
        assert player.optimizer.defaults["betas"] == (0.0, 0.9)
        assert player.optimizer.defaults["lr"] == 1e-4


@pytest.mark.parametrize("change", [{"size": 50}, {"size": 24, "multipliers": (1,)}])
def test_sizes_that_do_not_halve_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"Got size \d+, expected a multiple of"):
        FAnoGAN(FAnoGAN.Config(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [{"latent": 0}, {"critic_steps": 0}, {"encoder_steps": 0}, {"kappa": -1.0}, {"encoder_learning_rate": 0.0}],
)
def test_values_out_of_range_are_refused(change: dict[str, float]) -> None:
    (name,) = change
    with pytest.raises(ValueError, match=f"Got {name}"):
        replace(TINY, **change)  # type: ignore[arg-type]


def test_each_player_moves_its_own_weights_as_often_as_it_should() -> None:
    detector, slices = FAnoGAN(TINY), torch.rand(4, 1, 16, 16)
    stage = next(detector.stages())
    critic, generator = stage.players
    for player, mover, other in ((critic, "critic", "generator"), (generator, "generator", "critic")):
        before = {name: weights(getattr(detector, name)) for name in (mover, other, "encoder")}
        take_turns(replace(stage, players=(replace(player, every=1),)), slices, 1)
        assert not same(weights(getattr(detector, mover)), before[mover])
        assert same(weights(getattr(detector, other)), before[other])
        assert same(weights(detector.encoder), before["encoder"])
    assert take_turns(stage, slices, 5) == {"critic": 5, "generator": 2}


def test_the_encoders_loss_is_the_residual_plus_kappa_of_the_features() -> None:
    detector, slices = FAnoGAN(replace(TINY, kappa=0.25)).eval(), torch.rand(3, 1, 16, 16)
    with torch.no_grad():
        images = 2 * slices - 1
        made = detector.generator(detector.encoder(images))
        residual = (made - images).square().sum() / (3 * 16 * 16)
        difference = detector.critic.features(made) - detector.critic.features(images)
        expected = residual + 0.25 * difference.square().sum() / difference.numel()
        torch.testing.assert_close(detector.loss(slices), expected)
        torch.testing.assert_close(detector.reconstruct(slices, seeds=torch.arange(3)), (made + 1) / 2)


def test_a_code_is_bounded_by_tanh_or_by_nothing() -> None:
    slices = 20 * torch.randn(4, 1, 16, 16)
    bounded, free = (FAnoGAN(replace(TINY, code=code)).encoder(slices) for code in ("tanh", "linear"))
    assert bounded.abs().max() <= 1
    assert free.abs().max() > 1


def test_the_second_stage_leaves_generator_and_critic_alone() -> None:
    detector, slices = FAnoGAN(replace(TINY, encoder_learning_rate=1e-2)), slices_of(brains(4))
    gan, encoder = detector.stages(), weights(detector.encoder)
    take_turns(next(gan), slices, 3)
    parts = (detector.generator, detector.critic)
    before = [{name: tensor.clone() for name, tensor in part.state_dict().items()} for part in parts]
    assert same(encoder, weights(detector.encoder))
    take_turns(next(gan), slices, 3)
    assert all(same(tensors, part.state_dict()) for tensors, part in zip(before, parts, strict=True))
    assert not same(encoder, weights(detector.encoder))


def test_fanogan_fulfils_the_contract() -> None:
    check_detector(lambda: FAnoGAN(TINY))


def test_stages_have_budgets_of_their_own(tmp_path: Path) -> None:
    assert [stage.steps for stage in FAnoGAN(TINY).stages()] == [5, 5]
    detector = FAnoGAN(replace(TINY, encoder_steps=3))
    assert [stage.steps for stage in detector.stages()] == [5, 3]
    cases = brains(6)
    detector.fit(cases[:4], cases[4:], seed=0, workdir=tmp_path)
    assert {name.partition(".")[0] for name in detector.state_dict()} == {"generator", "critic", "encoder"}


def test_fitting_brings_generated_slices_and_the_encoder_closer(tmp_path: Path) -> None:
    config = replace(TINY, steps=60, encoder_steps=80, batch_size=8, learning_rate=3e-3, encoder_learning_rate=3e-3)
    cases = brains(10)
    detector, real = FAnoGAN(config), slices_of(cases).mean(dim=0)
    before = (detector.eval().generate(torch.empty(64, 1)).mean(dim=0) - real).abs().mean()
    detector.fit(cases[:8], cases[8:], seed=0, workdir=tmp_path)
    after = (detector.generate(torch.empty(64, 1)).mean(dim=0) - real).abs().mean()
    assert after < 0.5 * before
    losses = pd.read_csv(tmp_path / "log" / "encoder" / "metrics.csv")["val_loss"].dropna()
    assert losses.min() < 0.8 * losses.iloc[0]


@pytest.mark.parametrize(
    "config", [FAnoGAN.Config(width=16), *(FAnoGAN.Config(**FAnoGAN.presets[name]) for name in ("quick", "small"))]
)
def test_the_stated_memory_covers_the_measured_peak_without_waste(config: FAnoGAN.Config) -> None:
    detector = FAnoGAN(config).eval()
    pixels, peaks = config.size**2, []
    for batch in (2, 6):
        slices, seeds = torch.rand(batch, 1, config.size, config.size), torch.zeros(batch)
        with torch.inference_mode():
            detector.reconstruct(slices, seeds=seeds)
            peaks.append(live_peak(lambda: detector.reconstruct(slices, seeds=seeds), slices.device))  # noqa: B023
    measured = (peaks[1] - peaks[0]) / (4 * 4 * pixels)  # a slice's share, without what each call holds anyway
    assert measured < detector.values_per_pixel < 3 * measured

"""VAE: the divergence against torch's own, a loss that falls, and maps without randomness."""

from pathlib import Path

import pandas as pd
import pytest
import torch
from learning import falls, losses_of
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from baselines.autoencoders.ae import LATENT
from baselines.autoencoders.vae import VAE, Posterior, negative_elbo
from benchmark.methods.contract.check import check_detector
from benchmark.methods.contract.trial import simulated_case

TINY = VAE.Config(size=16, steps=3, batch_size=4, augment=False)


def posterior(batch: int = 5, *, seed: int = 0) -> Posterior:
    generator = torch.Generator().manual_seed(seed)
    mean, log_variance = torch.randn(2, batch, LATENT, generator=generator).unbind()
    return Posterior(2 * mean, log_variance - 1)


def discs(count: int, size: int = 16) -> Tensor:
    """Bright discs of several sizes, `(count, 1, size, size)` in [0, 1]."""
    axis = torch.linspace(-1, 1, size)
    radius = (axis[:, None] ** 2 + axis**2).sqrt()
    return torch.stack([0.8 * (radius < 0.4 + 0.4 * i / count) for i in range(count)])[:, None].float()


def trained(config: VAE.Config, *, steps: int, seed: int = 0) -> tuple[VAE, list[float]]:
    """A VAE after some steps on eight discs, and the loss of each step."""
    torch.manual_seed(seed)
    vae, slices = VAE(config), discs(8)
    losses = losses_of(vae, slices, steps=steps)
    return vae.eval(), losses


@pytest.mark.parametrize("seed", range(3))
def test_the_divergence_is_that_of_torch_distributions(seed: int) -> None:
    given = posterior(seed=seed)
    theirs = kl_divergence(Normal(given.mean, given.log_variance.exp().sqrt()), Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(given.divergence(), theirs)


def test_the_prior_has_no_divergence_from_itself() -> None:
    prior = Posterior(torch.zeros(2, LATENT), torch.zeros(2, LATENT))
    assert prior.divergence().tolist() == [0, 0]


def test_samples_have_the_posteriors_moments() -> None:
    given = posterior(1)
    torch.manual_seed(0)
    samples = torch.stack([given.sample() for _ in range(4000)])
    deviation = (0.5 * given.log_variance).exp()
    assert ((samples.mean(dim=0) - given.mean).abs() / deviation).max() < 0.08
    assert (samples.std(dim=0) / deviation - 1).abs().max() < 0.05


def test_gradients_pass_through_a_sample() -> None:
    given = posterior(2)
    for part in (given.mean, given.log_variance):
        part.requires_grad_()
    given.sample().sum().backward()
    assert torch.equal(given.mean.grad, torch.ones(2, LATENT))  # type: ignore[arg-type]
    assert (given.log_variance.grad != 0).all()  # type: ignore[union-attr]


def test_the_loss_is_sums_over_pixels_and_latent_by_the_pixel() -> None:
    slices, reconstructed, given = torch.rand(3, 1, 4, 5), torch.rand(3, 1, 4, 5), posterior(3)
    sums = (slices - reconstructed).abs().flatten(1).sum(dim=1) + 0.7 * given.divergence()
    torch.testing.assert_close(negative_elbo(slices, reconstructed, given, beta=0.7), sums.mean() / 20)


def test_training_samples_by_the_callers_seed_and_the_test_takes_the_mean() -> None:
    vae, slices = VAE(TINY).eval(), discs(4)
    losses = []
    for seed in (4, 4, 5):
        torch.manual_seed(seed)
        losses.append(vae.loss(slices).item())
    assert losses[0] == losses[1] != losses[2]
    with torch.no_grad():
        mean = vae.decoder(vae.posterior(slices).mean)
        for seeds in (torch.arange(4), torch.arange(4) + 9):
            assert torch.equal(vae.reconstruct(slices, seeds=seeds), mean)


def test_training_lowers_the_loss() -> None:
    _, losses = trained(TINY, steps=60)
    assert falls(losses)


def test_a_large_beta_draws_the_posterior_to_the_prior() -> None:
    nats = []
    for beta in (0.0, 10.0):
        vae, _ = trained(VAE.Config(size=16, beta=beta), steps=40)
        nats.append(vae.posterior(discs(8)).divergence().mean().item())
    assert nats[1] < 0.1 * nats[0]


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    config = VAE.Config(size=16, steps=60, batch_size=8, learning_rate=3e-3, augment=False)
    cases = [simulated_case(index, (16, 16, 5)) for index in range(8)]
    VAE(config).fit(cases[:6], cases[6:], seed=0, workdir=tmp_path)
    losses = pd.read_csv(tmp_path / "log" / "metrics.csv")["val_loss"].dropna()
    assert losses.min() < 0.7 * losses.iloc[0]


def test_a_map_does_not_depend_on_the_seed() -> None:
    vae, images = VAE(TINY).eval(), discs(6)[:, 0].permute(1, 2, 0)[None, None]
    brain_masks = torch.ones_like(images, dtype=torch.bool)
    maps = [vae.anomaly_map(images, brain_masks, seeds=torch.tensor([seed])) for seed in (1, 2)]
    assert torch.equal(*maps)


def test_defaults_are_the_published_recipe() -> None:
    with torch.device("meta"):
        vae = VAE(VAE.Config())
    assert vae.config.beta == 0.001
    assert (vae.to_posterior.mean.out_features, vae.to_posterior.log_variance.out_features) == (128, 128)
    assert sum(weight.numel() for weight in vae.parameters()) == 1_970_001


def test_a_negative_beta_is_refused() -> None:
    with pytest.raises(ValueError, match="Got beta -1, expected 0 or more"):
        VAE.Config(beta=-1)


def test_vae_fulfils_the_contract() -> None:
    check_detector(lambda: VAE(TINY))

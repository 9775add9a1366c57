"""VAE: variational auto-encoder with a dense latent, and the Gaussian posterior it is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from baselines.autoencoders.ae import AE, LATENT, Decoder, Encoder, values_per_pixel
from baselines.reconstruction import SliceReconstruction
from benchmark.methods import Card
from datasets.errors import BadValue


@dataclass(frozen=True)
class Posterior:
    """q(z | x) of B slices: independent normal distributions of `LATENT` numbers each.

    Attributes:
        mean, log_variance: `(B, LATENT)` float32.
    """

    mean: Tensor
    log_variance: Tensor

    def sample(self) -> Tensor:
        """One code a slice, `(B, LATENT)`, from torch's global generator; gradients pass (Kingma, eq. 10)."""
        return self.mean + torch.exp(0.5 * self.log_variance) * torch.randn_like(self.mean)

    def divergence(self) -> Tensor:
        """Kullback-Leibler divergence from q(z | x) to the standard normal prior, `(B,)` nats (Kingma, appendix B)."""
        return 0.5 * (self.mean.square() + self.log_variance.exp() - 1 - self.log_variance).sum(dim=1)


class ToPosterior(nn.Module):
    """`(B, features)` to the posterior, by one linear layer for the means and one for the log variances."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.mean = nn.Linear(features, LATENT)
        self.log_variance = nn.Linear(features, LATENT)

    def forward(self, features: Tensor) -> Posterior:
        # In float32, since squares and exponentials outgrow float16.
        return Posterior(self.mean(features).float(), self.log_variance(features).float())


def negative_elbo(slices: Tensor, reconstructed: Tensor, posterior: Posterior, *, beta: float) -> Tensor:
    """`(sum of |x - x'| + beta KL) / pixels`, mean over slices: beta weighs nats against sums over a slice's pixels.

    The division by the number of pixels scales the whole only, so that losses read as mean absolute errors.

    Args:
        slices, reconstructed: as many pixels each as the posterior's B slices have together.

    References:
        Kingma, Welling: Auto-encoding variational Bayes. ICLR 2014. arXiv 1312.6114, eq. 7, here with a
        Laplace likelihood of scale 1; beta as in Higgins et al.: beta-VAE, ICLR 2017, eq. 4.
    """
    pixels = slices.numel() / len(posterior.mean)
    return nn.functional.l1_loss(reconstructed, slices) + beta * posterior.divergence().mean() / pixels


class VAE(SliceReconstruction):
    """The auto-encoder of Baur et al. with a Gaussian posterior; its test decodes the mean, without any randomness.

    The loss is Baur's: absolute errors summed over pixels, divergences summed over the latent, each then
    averaged over slices; but with the reference study's beta of 0.001, where Baur's is 1. The study does
    not say how it reduces its terms. Means over the 9216 pixels and the 128 latent numbers under a beta
    of 0.001 would be a beta of 0.072 here; a mean over pixels beside a sum over the latent, one of 9.2.

    References:
        Kingma, Welling: Auto-encoding variational Bayes. ICLR 2014. arXiv 1312.6114.
        Baur et al.: Autoencoders for unsupervised anomaly segmentation in brain MR images: a
        comparative study. Medical Image Analysis 69, 2021. arXiv 2004.03271.
    """

    @dataclass(frozen=True)
    class Config(AE.Config):
        """An AE's, and the weight of the divergence.

        Attributes:
            beta: of a nat against the sum of absolute errors over a slice's pixels; 0 leaves the latent free.
        """

        beta: float = 0.001

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.beta < 0:
                raise BadValue(f"Got beta {self.beta:g}, expected 0 or more.")

    card: ClassVar[Card] = Card(
        printed_name="VAE",
        supervision="healthy scans",
        trained_on="Network weights, from axial slices of healthy scans.",
        tuned_on="beta and budget: the reference study; architecture: Baur et al. On which scans is not known.",
        references=(
            "Kingma, Welling 2014, arXiv 1312.6114, eqs. 7 and 10, appendix B",
            "Baur et al. 2021, arXiv 2004.03271",
            "Behrendt et al. 2023, arXiv 2312.04215, for beta and budget",
        ),
        departures=(
            "How the study reduces its loss terms is not published: sums over pixels and latent here, as Baur's "
            "(beta).",
            *AE.card.departures,
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = AE.presets
    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = Encoder(config.size, config.width)
        self.to_posterior = ToPosterior(self.encoder.features)
        self.decoder = Decoder(config.size, config.width)

    def loss(self, slices: Tensor) -> Tensor:
        posterior = self.posterior(slices)
        return negative_elbo(slices, self.decoder(posterior.sample()), posterior, beta=self.config.beta)

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        """From the posteriors' means; `seeds` are not used."""
        return self.decoder(self.posterior(slices).mean)

    def posterior(self, slices: Tensor) -> Posterior:
        """Of `(B, 1, size, size)` slices."""
        return self.to_posterior(self.encoder(slices))

    @property
    def values_per_pixel(self) -> int:
        return values_per_pixel(self.config.width)

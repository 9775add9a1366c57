"""f-AnoGAN: a GAN learns healthy slices, then an encoder learns which of its slices comes closest to a given one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import Adam, Optimizer, RMSprop

from baselines.gan.wgan import Critic, Features, Generator, critic_loss, generator_loss, linear
from baselines.reconstruction import SliceReconstruction
from baselines.trained_on_slices import QUICK, SMALL, TRAINING_DEPARTURES
from baselines.training.stage import Player, Stage
from benchmark.methods import Card
from datasets.errors import BadValue


class FAnoGAN(SliceReconstruction):
    """Reconstruction G(E(x)): what the generator of healthy slices cannot make is anomalous.

    Stage `gan` trains generator G and critic as a WGAN-GP, stage `encoder` the encoder E by the izi_f loss
    through both, which then stand still. The reference study names the latent of 128, the learning rate and the
    paper, but neither layers nor budget of either stage. The layers are those of the paper's program, since they
    halve 96 pixels four times as they do its 64, to 6 x 6; Baur et al. 2021's unified variant is not built.

    References:
        Schlegl et al. 2019, f-AnoGAN, Medical Image Analysis 54, and its released program; Gulrajani et al. 2017,
        arXiv 1704.00028, equation 3 and algorithm 1.
    """

    @dataclass(frozen=True)
    class Config(SliceReconstruction.Config):
        """Networks, the two stages, and their budgets; `steps` and `learning_rate` are those of stage `gan`.

        Attributes:
            latent: length of the generator's code.
            width: channels at full resolution.
            multipliers: of the width, one a level; each level after the first has half the resolution.
            gradient_penalty: its weight lambda in the critic's loss.
            critic_steps: steps of the critic for one of the generator; each takes a batch of slices.
            betas: of Adam, for generator and critic.
            kappa: weight of the critic's features in the encoder's loss.
            code: what bounds the encoder's code: tanh, to one s.d. of the codes the generator was trained on, or
                nothing (the paper's linear variant).
            encoder_learning_rate: of stage `encoder`; `learning_rate` is that of stage `gan` alone.
            encoder_steps: of stage `encoder`; None for as many as `steps`.
        """

        latent: int = 128
        width: int = 64
        multipliers: tuple[int, ...] = (1, 2, 4, 8, 8)
        gradient_penalty: float = 10.0
        critic_steps: int = 5
        betas: tuple[float, float] = (0.0, 0.9)
        kappa: float = 1.0
        code: Literal["tanh", "linear"] = "tanh"
        encoder_learning_rate: float = 5e-5
        encoder_steps: int | None = None

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("latent", "width", "critic_steps", "encoder_steps"):
                value = getattr(self, name)
                if value is not None and value < 1:
                    raise BadValue(f"Got {name} {value}, expected 1 or more.")
            for name in ("gradient_penalty", "kappa"):
                if getattr(self, name) < 0:
                    raise BadValue(f"Got {name} {getattr(self, name):g}, expected 0 or more.")
            if self.encoder_learning_rate <= 0:
                raise BadValue(f"Got encoder_learning_rate {self.encoder_learning_rate:g}, expected more than 0.")

    card: ClassVar[Card] = Card(
        printed_name="f-AnoGAN",
        supervision="healthy scans",
        trained_on=(
            "A generator and a critic of axial slices of healthy scans, then an encoder of the same slices; the "
            "GAN's last weights are kept, and the encoder's with the best healthy validation loss."
        ),
        tuned_on=(
            "Networks and losses: the paper's program, made for retinal OCT; its authors compare variants on labelled "
            "OCT scans. Budget of each stage: the reference study's for its other methods."
        ),
        references=(
            "Schlegl et al. 2019, f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial networks, "
            "Medical Image Analysis 54:30-44 (izi_f loss; pixel-level residual), and its released program",
            "Gulrajani et al. 2017, Improved training of Wasserstein GANs, arXiv 1704.00028, eq. 3, algorithm 1",
            "Behrendt et al. 2023, arXiv 2312.04215, for learning rate, latent and budget",
        ),
        departures=(
            *TRAINING_DEPARTURES,
            "Slices of 96 pixels instead of 64, so the coarsest level has 6 x 6 pixels, not 4 x 4 (size).",
            "Each stage takes 19,200 batches of 32, augmented; the program takes 50,000 of 64 for the encoder, not "
            "augmented (steps, encoder_steps, batch_size, augment).",
            "The encoder's learning rate is the program's 5e-5; the reference study names 1e-4 alone "
            "(encoder_learning_rate).",
            "The map is the voxel residual alone, as in the reference study: the paper's score of an image adds kappa "
            "times the residual of the critic's features, which has no place in the image.",
            "The encoder with the best healthy validation loss is kept, not the last.",
            "Batch normalisation remembers about 10 batches, not 100, and those of the critic's turns too: short "
            "trainings would not fill the longer memory.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            **QUICK,
            "width": 8,
            "multipliers": (1, 2, 4, 8),
            "critic_steps": 2,  # 5 would leave the generator 80 steps
            "encoder_learning_rate": 1e-3,
        },
        "small": {
            **SMALL,
            "steps": 1_500,
            "encoder_steps": 1_600,
            "width": 8,
            "critic_steps": 2,
            "encoder_learning_rate": 1e-3,
        },
    }
    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        shape: Mapping[str, Any] = {"width": config.width, "multipliers": config.multipliers}
        self.generator = Generator(config.size, latent=config.latent, **shape)
        self.critic = Critic(config.size, **shape)
        self.encoder = _encoder(config)

    def stages(self) -> Iterator[Stage]:
        """Generator and critic, of which the last weights are kept; then the encoder, of which the best are."""
        yield self._gan_stage()
        self.eval()  # the generator's statistics of batches stand still with its weights
        yield self._encoder_stage()

    def loss(self, slices: Tensor) -> Tensor:
        """izi_f of `(B, 1, X, Y)` slices: squared residual of the image, plus kappa times that of its features.

        Both are means over what they compare, of images in [-1, 1].
        """
        images = _signed(slices)
        made = self.generator(self.encoder(images))
        features, expected = self.critic.features(made), self.critic.features(images)
        return F.mse_loss(made, images) + self.config.kappa * F.mse_loss(features, expected)

    def optimizer(self) -> Optimizer:
        """The program's for the encoder: RMSProp that keeps nine tenths of its mean squared gradient a step."""
        return RMSprop(self.encoder.parameters(), lr=self.config.encoder_learning_rate, alpha=0.9)

    def reconstruct(self, slices: Tensor, *, seeds: Tensor) -> Tensor:
        """G(E(x)), `(B, 1, X, Y)` in [0, 1]; nothing is drawn."""
        return _unsigned(self.generator(self.encoder(_signed(slices))))

    @property
    def values_per_pixel(self) -> int:
        """One and a half times the measured peak: a block's input, its features before and after it changes width."""
        multipliers = self.config.multipliers
        held = [(2 * own + 1.25 * next_) / 4**level for level, (own, next_) in enumerate(pairwise(multipliers))]
        return ceil(2.4 * self.config.width * max(held))

    def critic_loss(self, slices: Tensor) -> Tensor:
        """Of real `(B, 1, X, Y)` slices against as many generated ones."""
        fake = self._generated(slices)
        return critic_loss(self.critic, _signed(slices), fake, penalty=self.config.gradient_penalty)

    def generator_loss(self, slices: Tensor) -> Tensor:
        """Of as many generated slices as there are real ones, `(B, 1, X, Y)`."""
        return generator_loss(self.critic, self._generated(slices))

    def generate(self, slices: Tensor) -> Tensor:
        """As many slices as there are real ones, `(B, 1, X, Y)` in [0, 1], of codes drawn from torch's generator."""
        return _unsigned(self._generated(slices))

    def _gan_stage(self) -> Stage:
        config = self.config
        adam = partial(Adam, lr=config.learning_rate, betas=config.betas)
        return Stage(
            "gan",
            nn.ModuleDict({"generator": self.generator, "critic": self.critic}),
            (
                Player("critic", self.critic_loss, adam(self.critic.parameters())),
                Player("generator", self.generator_loss, adam(self.generator.parameters()), every=config.critic_steps),
            ),
            config.steps,
            reconstruct=self.generate,
            augment=config.augment,
        )

    def _encoder_stage(self) -> Stage:
        return Stage(
            "encoder",
            self.encoder,
            (Player("izi_f", self.loss, self.optimizer()),),
            self.config.encoder_steps or self.config.steps,
            validation_loss=self.loss,
            reconstruct=self._reconstruct_for_log,
            augment=self.config.augment,
        )

    def _generated(self, slices: Tensor) -> Tensor:
        """In [-1, 1], of standard normal codes."""
        return self.generator(torch.randn(len(slices), self.config.latent, device=slices.device))


def _encoder(config: FAnoGAN.Config) -> nn.Sequential:
    """`(B, 1, size, size)` in [-1, 1] to `(B, latent)`: the critic's layers with batch normalisation."""
    features = Features(config.size, width=config.width, multipliers=config.multipliers, norm=nn.BatchNorm2d)
    bound = nn.Tanh() if config.code == "tanh" else nn.Identity()
    return nn.Sequential(features, linear(features.count, config.latent), bound)


def _signed(slices: Tensor) -> Tensor:
    """[0, 1] to [-1, 1], where the generator's tanh ends."""
    return 2 * slices - 1


def _unsigned(images: Tensor) -> Tensor:
    return (images + 1) / 2

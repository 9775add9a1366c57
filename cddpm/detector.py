"""CDDPM: a DDPM conditioned on a code of the clean slice, so that it keeps the scan's own intensities."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from baselines.diffusion.ddpm import DDPM
from baselines.encoders.resnet import ResNet
from baselines.encoders.spark import SparK, check_pretraining
from baselines.training.stage import Player, Stage
from benchmark.methods import Card, at_test
from datasets.errors import BadValue


class CDDPM(DDPM):
    """Conditioned DDPM; encoder and U-Net are trained jointly, after the encoder alone where `pretrain` is true.

    References:
        Behrendt et al. 2023, "Guided reconstruction with conditioned diffusion models for unsupervised
        anomaly detection in brain MRIs", arXiv 2312.04215.
    """

    @dataclass(frozen=True)
    class Config(DDPM.Config):
        """A DDPM's, and the encoder's.

        Attributes:
            ensemble: average over `ensemble_steps`, as the paper's headline does.
            code: length of the code.
            encoder_width: channels after the encoder's stem.
            encoder_blocks: residual blocks of the encoder, one number a stage.
            drop_path: chance of leaving out the encoder's last block in training; it grows linearly from 0
                at the first.
            pretrain: train the encoder by SparK before, to fill in removed patches ("SSL" in the paper).
            pretrain_steps: batches of that, 1200 epochs of the study.
            pretrain_learning_rate: of AdamW.
            pretrain_removed: share of a slice's patches that the encoder does not see.
            pretrain_width: channels of the deepest of the decoder's maps, halved at each step up.
            pretrain_normalised: removed patches are filled in at mean 0 and variance 1, as SparK's authors do;
                the study fills in intensities.
        """

        ensemble: bool = at_test(True)
        code: int = 512
        encoder_width: int = 64
        encoder_blocks: tuple[int, ...] = (3, 4, 6, 3)
        drop_path: float = 0.05
        pretrain: bool = False
        pretrain_steps: int = 14_400
        pretrain_learning_rate: float = 1e-4
        pretrain_removed: float = 0.65
        pretrain_width: int = 512
        pretrain_normalised: bool = False

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("code", "encoder_width", "pretrain_steps", "pretrain_width"):
                if getattr(self, name) < 1:
                    raise BadValue(f"Got {name} {getattr(self, name)}, expected 1 or more.")
            if not self.encoder_blocks or min(self.encoder_blocks) < 1:
                got = f"Got encoder_blocks {list(self.encoder_blocks)}"
                raise BadValue(f"{got}, expected one number or more, each 1 or more.")
            if not 0 <= self.drop_path < 1:
                raise BadValue(f"Got drop_path {self.drop_path:g}, expected a chance of 0 or more and below 1.")
            if self.pretrain_learning_rate <= 0:
                raise BadValue(f"Got pretrain_learning_rate {self.pretrain_learning_rate:g}, expected more than 0.")
            if not 0 < self.pretrain_removed < 1:
                raise BadValue(f"Got pretrain_removed {self.pretrain_removed:g}, expected a share between 0 and 1.")
            if self.pretrain:
                check_pretraining(self.size, len(self.encoder_blocks), self.pretrain_width)

    card: ClassVar[Card] = replace(
        DDPM.card,
        printed_name="cDDPM",
        trained_on=(
            "To predict axial slices of healthy scans from noised ones and a code of the clean one; with pretrain=true "
            "the code's encoder first fills in removed patches of them. The best healthy validation loss is kept."
        ),
        tuned_on=(
            "The reference study's recipe. It reports Dice against the noise level of the test on its lesion cohorts, "
            "so their labels may have chosen the ensemble over t = 250, 500 and 750."
        ),
        references=(
            *DDPM.card.references,
            "He et al. 2016, Deep residual learning for image recognition, arXiv 1512.03385 (the encoder)",
            "Huang et al. 2016, Deep networks with stochastic depth, arXiv 1603.09382, eq. 4",
            "Tian et al. 2023, Designing BERT for convolutional networks: sparse and hierarchical masked modeling, "
            "arXiv 2301.03580, section 3 (pre-training)",
        ),
        departures=(
            *DDPM.card.departures,
            "The code has 512 numbers as in the released program; the paper's text says 128 (code).",
            "19,200 steps in fp32 as the other methods; the released program takes 14,400 in fp16 (steps, precision).",
            "The encoder is not pre-trained unless asked for; the paper's full method is (pretrain=true).",
            "Pre-training fills in intensities and drops no path, as the released program does; SparK's authors fill "
            "in patches of mean 0 and variance 1 (pretrain_normalised=true).",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            **DDPM.presets["quick"],
            "code": 128,
            "encoder_width": 16,
            "encoder_blocks": (1, 1, 1, 1),
            "pretrain_steps": 300,
            "pretrain_learning_rate": 1e-3,
            "pretrain_width": 128,
        },
        "small": {
            **DDPM.presets["small"],
            "code": 128,
            "encoder_width": 16,
            "encoder_blocks": (1, 1, 1, 1),
            "pretrain_steps": 4_000,
            "pretrain_learning_rate": 1e-3,
            "pretrain_width": 128,
        },
    }
    config: Config

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = ResNet(
            width=config.encoder_width,
            blocks=config.encoder_blocks,
            code=config.code,
            drop_path=config.drop_path,
        )

    def stages(self) -> Iterator[Stage]:
        """Pre-training of the encoder where it is asked for, without augmentation; then a DDPM's."""
        if self.config.pretrain:
            yield self._pretraining()
        yield from super().stages()

    @property
    def code_length(self) -> int:
        return self.config.code

    def code(self, slices: Tensor) -> Tensor:
        """`(B, code)` from the clean `(B, 1, X, Y)` slices in [0, 1]."""
        return self.encoder(slices)

    def reconstruct_guided(self, slices: Tensor, guides: Tensor, *, level: int, seeds: Tensor) -> Tensor:
        """One denoising step from `slices` noised to `level`, guided by the code of other slices, `(B, 1, X, Y)`.

        Args:
            slices, guides: `(B, 1, X, Y)` in [0, 1]: what is noised, and what the network is conditioned on.
            level: 1..1000; at 1000 nothing of `slices` is left.
            seeds: `(B,)` int64, of the noise.
        """
        clean = 2 * slices - 1
        t = torch.full((len(slices),), level, device=slices.device)
        return (self.predicted(clean, self.noise(seeds, clean, stream=level), t, self.code(guides)) + 1) / 2

    @property
    def values_per_pixel(self) -> int:
        """A DDPM's: the code is made before; or the encoder's, half of which is held at once, measured."""
        return max(super().values_per_pixel, 4 * self.config.encoder_width)

    def _pretraining(self) -> Stage:
        config = self.config
        spark = SparK(
            self.encoder,
            size=config.size,
            removed=config.pretrain_removed,
            width=config.pretrain_width,
            normalised=config.pretrain_normalised,
        ).to(self.device)
        player = Player("removed_patches", spark.loss, spark.optimizer(config.pretrain_learning_rate))
        return Stage("pretrain", spark, (player,), config.pretrain_steps, validation_loss=spark.loss)

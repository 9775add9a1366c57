"""CDDPM: a DDPM that is also told a code of the clean slice, so that it keeps the scan's own intensities."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from baselines.ddpm import DDPM
from cddpm.encoder import ResNet


class CDDPM(DDPM):
    """Conditioned DDPM; encoder and U-Net are trained jointly.

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
        """

        ensemble: bool = True
        code: int = 512
        encoder_width: int = 64
        encoder_blocks: tuple[int, ...] = (3, 4, 6, 3)
        drop_path: float = 0.05

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {
            **DDPM.presets["quick"],
            "code": 128,
            "encoder_width": 16,
            "encoder_blocks": (1, 1, 1, 1),
        }
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

    @property
    def code_length(self) -> int:
        return self.config.code

    def code(self, slices: Tensor) -> Tensor:
        """`(B, code)` from the clean `(B, 1, X, Y)` slices in [0, 1]."""
        return self.encoder(slices)

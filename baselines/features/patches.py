"""PatchFeatures: a detector that compares the features of a volume's patches with those of healthy brains."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.encoders.deepbet import DeepBET, published_weights, scaled
from baselines.encoders.resnet import STEM_STRIDE, ResNet
from baselines.encoders.spark import SparK, check_pretraining
from baselines.simple.gaussian import smoothed
from baselines.slices.seeding import mix_seed
from baselines.trained_on_slices import QUICK, SMALL, TrainedOnSlices, check_size
from baselines.training.stage import Player, Stage
from benchmark.methods.detector import FLOAT32
from benchmark.methods.exact_float32 import exact_float32
from datasets.case import Case
from datasets.errors import BadValue

PIXELS = {"spark": 96, "deepbet": 192}
NARROW: Mapping[str, Any] = {"encoder_width": 16, "encoder_blocks": (1, 1, 1, 1), "decoder_width": 128}
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "quick": {**QUICK, **NARROW, "steps": 300},
    "small": {**SMALL, **NARROW, "steps": 5_000},
}
"""The parts of the presets that are the encoder's."""
VOLUME_VALUES = 8  # float32 numbers a voxel of what the encoder of deepbet sees; measured: 6
ENCODER_DEPARTURES = (
    "The encoder is this project's, pre-trained by SparK on the healthy training slices, or that of deepbet "
    "(encoder='deepbet'); the published ones are trained on photographs (ImageNet).",
    "A volume is one image: patches lie in three dimensions, and maps are enlarged and smoothed in three.",
)
ENCODERS_TRAINED_ON = (
    "spark: to fill in removed patches of axial slices of the healthy training scans. deepbet: by its authors, to find "
    "the brain in 7837 T1 scans of 191 OpenNeuro data sets, with brain masks as labels."
)
ENCODER_REFERENCES = (
    "Tian et al. 2023, Designing BERT for convolutional networks: sparse and hierarchical masked modeling, "
    "arXiv 2301.03580, section 3 (spark)",
    "Fisch et al. 2024, deepbet: Fast brain extraction of T1-weighted MRI using convolutional neural networks, "
    "Computers in Biology and Medicine 179:108845 (deepbet)",
)


class PatchFeatures(TrainedOnSlices):
    """The encoder's part of a method: from a volume to features of its patches, and from their scores to a map.

    A volume is cut into cells, those of the finest stage used. The features of a cell are the channels of all stages
    used; a coarser stage lends its own to all cells that it covers.
    """

    @dataclass(frozen=True)
    class Config(TrainedOnSlices.Config):
        """Encoder, its pre-training by SparK, and the map.

        Attributes:
            steps: batches of the pre-training; `deepbet` takes none.
            augment: no augmentation, as SparK's study has it.
            encoder: `spark`, a 2-D residual network that sees slices; `deepbet`, the 3-D one of that tool.
            pixels: edge of the slices as the encoder sees them, enlarged where that is needed; None for 96 with
                `spark` and 192, about 1 mm, with `deepbet`.
            stages: of the encoder, from 0, whose outputs make the features.
            encoder_width: channels after the stem of `spark`.
            encoder_blocks: residual blocks of `spark`, one number a stage.
            decoder_width: channels of the deepest map of SparK's decoder.
            removed: share of a slice's patches that SparK removes.
            smoothing: of the map, s.d. of a Gaussian filter in pixels as the encoder sees them.
        """

        steps: int = 14_400
        augment: bool = False
        encoder: Literal["spark", "deepbet"] = "spark"
        pixels: int | None = None
        stages: tuple[int, ...] = (0, 1, 2)
        encoder_width: int = 64
        encoder_blocks: tuple[int, ...] = (3, 4, 6, 3)
        decoder_width: int = 512
        removed: float = 0.65
        smoothing: float = 4.0

        def __post_init__(self) -> None:
            super().__post_init__()
            for name in ("encoder_width", "decoder_width"):
                if getattr(self, name) < 1:
                    raise BadValue(f"Got {name} {getattr(self, name)}, expected 1 or more.")
            if not self.encoder_blocks or min(self.encoder_blocks) < 1:
                raise BadValue(f"Got encoder_blocks {list(self.encoder_blocks)}, expected one or more, each 1 or more.")
            there = len(self.encoder_blocks) if self.encoder == "spark" else len(DeepBET.channels)
            if not self.stages or list(self.stages) != sorted(set(self.stages) & set(range(there))):
                raise BadValue(f"Got stages {list(self.stages)}, expected ascending ones of 0..{there - 1}.")
            if not 0 < self.removed < 1:
                raise BadValue(f"Got removed {self.removed:g}, expected a share between 0 and 1.")
            if not self.smoothing >= 0:
                raise BadValue(f"Got smoothing {self.smoothing:g}, expected 0 or more.")
            if self.edge % (STEM_STRIDE << self.stages[-1]):
                raise BadValue(f"Got pixels {self.edge}, expected a multiple of {STEM_STRIDE << self.stages[-1]}.")
            if self.encoder == "spark":
                check_pretraining(self.edge, len(self.encoder_blocks), self.decoder_width)

        @property
        def edge(self) -> int:
            """Pixels along the edge of a slice as the encoder sees it."""
            return self.pixels or PIXELS[self.encoder]

    learnt: ClassVar[Mapping[str, torch.dtype]] = {}
    """Buffers that `learn` fills, by name."""
    volumes_at_once: int = 1

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self.encoder: ResNet | DeepBET = DeepBET()
        if config.encoder == "spark":
            self.encoder = ResNet(width=config.encoder_width, blocks=config.encoder_blocks, code=1, drop_path=0.0)
        self._forget()

    @abstractmethod
    def learn(self, train: Sequence[Case], generator: torch.Generator) -> None:
        """Fill the buffers from the features of healthy cases; the encoder is fitted already."""

    @abstractmethod
    def score(self, features: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
        """Anomaly scores of a volume's cells, `(x, y, z)`, and which of them have one, bool.

        Args:
            features: `(C, x, y, z)`, of the selected channels.
            brain: `(x, y, z)` bool, cells with brain.
        """

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Pre-train the encoder or take deepbet's, then learn the features of `train`, read case by case.

        Raises:
            ValueError: slices are not of `config.size`, or a cohort is empty.
            MissingData: deepbet is asked for and not installed.
            FloatingPointError: the validation loss is NaN or infinite.
        """
        self._forget()
        if isinstance(self.encoder, DeepBET):
            self.encoder.take_published()
        else:
            super().fit(train, val, seed=seed, workdir=workdir)
        self.eval()
        with torch.no_grad(), exact_float32():
            self.learn(train, torch.Generator().manual_seed(mix_seed(seed, 0)))

    def stages(self) -> Iterator[Stage]:
        """SparK's pre-training of the encoder."""
        config = self.config
        assert isinstance(self.encoder, ResNet)
        spark = SparK(self.encoder, size=config.edge, removed=config.removed, width=config.decoder_width)
        spark.to(self.device)

        def loss(slices: Tensor) -> Tensor:
            return spark.loss(self._enlarged(slices))

        player = Player("removed_patches", loss, spark.optimizer(config.learning_rate))
        yield Stage("train", spark, (player,), config.steps, validation_loss=loss, augment=config.augment)

    def training_seconds(self) -> float | None:
        """Of the pre-training alone."""
        return super().training_seconds() if self.config.encoder == "spark" else None

    def check(self, shape: Sequence[int]) -> None:
        """Also refuse `deepbet` where it is not installed."""
        super().check(shape)
        if self.config.encoder == "deepbet":
            published_weights()

    def anomaly_map(self, images: Tensor, brain_masks: Tensor, *, seeds: Tensor) -> Tensor:
        """Volume by volume; 0 outside the brain.

        Raises:
            RuntimeError: it has not been fitted.
            ValueError: slices are not of `config.size`.
        """
        check_size(images.shape, self.config.size)
        if not all(getattr(self, name).numel() for name in self.learnt):
            raise RuntimeError(f"Got a {type(self).__name__} that knows no healthy brain, expected a fitted one.")
        with torch.no_grad():
            return torch.stack([self._map(*pair) for pair in zip(images, brain_masks, strict=True)])

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """The encoder's maps of the slices it sees at once or of a volume, the features, and two dozen volumes."""
        cells = prod(self.cells(shape))
        enlarged = self.config.edge**2 * (self.slice_batch if self.config.encoder == "spark" else self._depth(shape[2]))
        of_encoder = enlarged * (4 * self.config.encoder_width if self.config.encoder == "spark" else VOLUME_VALUES)
        return super().memory_bound(shape, volumes) + FLOAT32 * (of_encoder + 4 * self.channels * cells)

    @property
    def channels(self) -> int:
        """Features of a cell."""
        return sum(self.encoder.channels[stage] for stage in self.config.stages)

    def cells(self, shape: Sequence[int]) -> tuple[int, int, int]:
        """Cells `(x, y, z)` of a volume of `shape` `(X, Y, Z)`."""
        stride = STEM_STRIDE << self.config.stages[0]
        edge = self.config.edge // stride
        return edge, edge, shape[2] if self.config.encoder == "spark" else -(-self._depth(shape[2]) // stride)

    def features(self, image: Tensor, chosen: Tensor | None = None) -> Tensor:
        """`(C, x, y, z)` of an image `(1, X, Y, Z)`; of the channels `chosen` alone, `(C,)` int64, where given."""
        if isinstance(self.encoder, DeepBET):
            edge = self.config.edge
            size = (edge, edge, self._depth(image.shape[3]))
            volume = F.interpolate(image[None], size=size, mode="trilinear", align_corners=False)
            return self._joined(self.encoder.features(scaled(volume)), chosen)[0]
        slices = self._enlarged(image.permute(3, 0, 1, 2))  # (Z, 1, edge, edge)
        parts = [self._joined(self.encoder.features(part), chosen) for part in slices.split(self.slice_batch)]
        return torch.cat(parts).permute(1, 2, 3, 0)

    @property
    def selection(self) -> Tensor | None:
        """The channels that are used, `(C,)` int64; None for all."""
        return None

    def brain_cells(self, brain_mask: Tensor) -> Tensor:
        """`(x, y, z)` bool from `(1, X, Y, Z)`: cells at least half in the brain."""
        share = F.interpolate(brain_mask[None].float(), size=self.cells(brain_mask.shape[1:]), mode="area")
        return share[0, 0] >= 0.5

    def _map(self, image: Tensor, brain_mask: Tensor) -> Tensor:
        scores, known = self.score(self.features(image, self.selection), self.brain_cells(brain_mask))
        whole = image.shape[1:]
        scores, weight = (_enlarged_volume(part, whole) for part in (torch.where(known, scores, 0.0), known.float()))
        scores = torch.where(brain_mask & (weight > 0), scores / weight.clamp(min=1e-6), 0.0)
        return smoothed(scores, brain_mask, self.config.smoothing * self.config.size / self.config.edge)

    def _joined(self, features: Iterator[Tensor], chosen: Tensor | None) -> Tensor:
        """The outputs of the stages used, `(B, C, ...)`, on the cells of the first of them."""
        outputs = list(islice(features, self.config.stages[-1] + 1))
        used = [self.neighbourhood(outputs[stage]) for stage in self.config.stages]
        cells = used[0].shape[2:]
        joined = torch.cat([F.interpolate(one, size=cells, mode="nearest") for one in used], dim=1)
        return joined if chosen is None else joined[:, chosen]

    def neighbourhood(self, outputs: Tensor) -> Tensor:
        """What a patch takes of a stage's output `(B, C, ...)` around it; here the place's own."""
        return outputs

    def _enlarged(self, slices: Tensor) -> Tensor:
        edge = self.config.edge
        if slices.shape[-1] == edge:
            return slices
        return F.interpolate(slices, size=(edge, edge), mode="bilinear", align_corners=False)

    def _depth(self, slices: int) -> int:
        """Slices of a volume as `deepbet` sees it, enlarged as much as their edges."""
        return round(slices * self.config.edge / self.config.size)

    def _forget(self) -> None:
        for name, dtype in self.learnt.items():
            self.register_buffer(name, torch.empty(0, dtype=dtype, device=self.device))


def _enlarged_volume(cells: Tensor, shape: Sequence[int]) -> Tensor:
    """`(x, y, z)` as `(1, X, Y, Z)`, linear between the cells' centres."""
    return F.interpolate(cells[None, None], size=tuple(shape), mode="trilinear", align_corners=False)[0]

"""PatchCore: the distance of a patch from the nearest of a few healthy ones that stand for all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from baselines.features.patches import (
    ENCODER_DEPARTURES,
    ENCODER_REFERENCES,
    ENCODERS_TRAINED_ON,
    PRESETS,
    PatchFeatures,
)
from baselines.simple.moments import brains
from baselines.trained_on_slices import TRAINING_DEPARTURES
from benchmark.methods import Card
from benchmark.methods.detector import FLOAT32
from datasets.case import Case
from datasets.errors import BadValue

PROJECTED = 128  # dimensions in which the coreset is chosen, as published
AT_ONCE = 512  # cells whose distances from the whole bank are held


class PatchCore(PatchFeatures):
    """Distance from a bank of healthy patches, as near in place as in features.

    A patch is the vector (f / s, w r) of its features f, averaged over 3 cells along each axis, in units of the healthy
    channels' s.d. s, and of its place r in mm in registered space, with w = locality sqrt(C) for C channels. The bank M
    is a coreset of healthy patches, chosen greedily: always the one farthest from those chosen. The score of a patch x
    is

        s = w_b |x - m*|,   w_b = 1 - exp(|x - m*|) / sum over m in N_b(m*) of exp(|x - m|)

    with m* the patch of the bank nearest to x, and N_b(m*) the `neighbours` of the bank nearest to m*, itself included.

    References:
        Roth, Pemula, Zepeda, Schoelkopf, Brox, Gehler 2022, "Towards total recall in industrial anomaly detection",
        CVPR, arXiv 2106.08265, eqs. 1 to 7 and algorithm 1.
    """

    @dataclass(frozen=True)
    class Config(PatchFeatures.Config):
        """The encoder's, and the bank's.

        Attributes:
            stages: of the encoder, from 0, whose outputs make the features.
            bank: healthy patches that stand for all.
            candidates: patches among which they are chosen, drawn from all training brains alike.
            neighbours: of the re-weighting; 1 for none.
            locality: what 1 mm between two patches adds, in s.d. of every channel; 0, as published, for places that do
                not matter.
        """

        stages: tuple[int, ...] = (0, 1)
        bank: int = 10_000
        candidates: int = 100_000
        neighbours: int = 9
        locality: float = 0.02

        def __post_init__(self) -> None:
            super().__post_init__()
            if not 1 <= self.neighbours <= self.bank <= self.candidates:
                got = f"neighbours {self.neighbours}, bank {self.bank} and candidates {self.candidates}"
                raise BadValue(f"Got {got}, expected 1 or more in ascending order.")
            if not self.locality >= 0:
                raise BadValue(f"Got locality {self.locality:g}, expected 0 or more.")

    card: ClassVar[Card] = Card(
        printed_name="PatchCore",
        supervision="healthy scans",
        trained_on=(f"A coreset of patch features of the healthy training scans. The encoder, {ENCODERS_TRAINED_ON}"),
        tuned_on=(
            "Neighbourhood, projection and re-weighting: its authors, on defects of industrial products (MVTec AD). "
            "Sizes of the encoder's input and of the bank, and locality: round numbers; no label was looked at."
        ),
        references=(
            "Roth et al. 2022, Towards total recall in industrial anomaly detection, CVPR, arXiv 2106.08265, eqs. 1 to "
            "7 and algorithm 1",
            "Sener and Savarese 2018, Active learning for convolutional neural networks: A core-set approach, "
            "arXiv 1708.00489 (greedy choice)",
            *ENCODER_REFERENCES,
        ),
        departures=(
            *TRAINING_DEPARTURES,
            *ENCODER_DEPARTURES,
            "Locality in registered space: the place of a patch counts as further features (locality=0 for none).",
            "The bank has a fixed size and is chosen among a fixed number of patches, so that memory and time are "
            "bounded whatever the cohort; published are 1, 10 or 25 % of all patches (bank, candidates).",
            "Every patch is re-weighted, where the paper re-weights the score of an image alone; neighbours=1 turns it "
            "off for maps as published.",
            "Stages 0 and 1 of an encoder that sees 96 pixels, where the paper takes the next two and 224: patches are "
            "8 mm apart. Channels are in units of their healthy s.d. and are not pooled to 1024.",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {**values, "bank": 2_000, "candidates": 20_000} for name, values in PRESETS.items()
    }
    learnt: ClassVar[Mapping[str, torch.dtype]] = {
        "scale": torch.float32,  # (C,) what features are divided by
        "spacing": torch.float32,  # (1,) mm
        "patches": torch.float32,  # (M, C + 3)
        "nearest": torch.int64,  # (M, b) of the bank's patches to each of them, itself first
    }
    config: Config
    scale: Tensor
    spacing: Tensor
    patches: Tensor
    nearest: Tensor

    def neighbourhood(self, outputs: Tensor) -> Tensor:
        """The mean over 3 cells along each axis, of those that are there."""
        if outputs.ndim == 4:
            return F.avg_pool2d(outputs, 3, stride=1, padding=1, count_include_pad=False)
        return F.avg_pool3d(outputs, 3, stride=1, padding=1, count_include_pad=False)

    def learn(self, train: Sequence[Case], generator: torch.Generator) -> None:
        device = self.device
        self.spacing = torch.tensor([train[0].spacing[0]], device=device)
        features, places = self._candidates(train, generator)
        self.scale = features.std(dim=0, correction=0).clamp(min=1e-6)
        vectors = self._vectors(features, places)
        projection = torch.randn(vectors.shape[1], PROJECTED, generator=generator).to(device) / PROJECTED**0.5
        self.patches = vectors[coreset(vectors @ projection, self.config.bank)]
        self.nearest = nearest_of_bank(self.patches, self.patches, self.config.neighbours)
        self.nearest[:, 0] = torch.arange(len(self.patches), device=device)  # whatever rounding says

    def score(self, features: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
        scores = features.new_zeros(brain.shape)
        vectors = self._vectors(features[:, brain].T, self._places(brain))
        scores[brain] = torch.cat([self._scores(part) for part in vectors.split(AT_ONCE)])
        return scores, brain

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """Plus the distances of some cells from the bank, and their neighbourhoods."""
        config = self.config
        cell = 3 * config.bank + 3 * config.neighbours * (self.channels + 3)
        return super().memory_bound(shape, volumes) + FLOAT32 * AT_ONCE * cell

    def _candidates(self, train: Sequence[Case], generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Features `(N, C)` and places `(N, 3)` of brain patches, as many of each brain as even shares allow."""
        features, places = list[Tensor](), list[Tensor]()
        shares = torch.arange(len(train) + 1) * self.config.candidates // len(train)
        for index, (image, brain_mask) in enumerate(brains(train, self.device)):
            cells = self.brain_cells(brain_mask)
            drawn = torch.randperm(int(cells.sum()), generator=generator)[: int(shares[index + 1] - shares[index])]
            drawn = drawn.to(self.device)
            features.append(self.features(image)[:, cells].T[drawn])
            places.append(self._places(cells)[drawn])
        return torch.cat(features), torch.cat(places)

    def _places(self, cells: Tensor) -> Tensor:
        """Centres `(P, 3)` in mm of the cells that are true."""
        edge = self.config.size / cells.shape[0]  # voxels of a cell in the plane
        deep = edge if self.config.encoder == "deepbet" else 1.0
        return (cells.nonzero() + 0.5) * self.spacing * torch.tensor([edge, edge, deep], device=cells.device)

    def _vectors(self, features: Tensor, places: Tensor) -> Tensor:
        """`(P, C + 3)` of features `(P, C)` and places `(P, 3)`."""
        weight = self.config.locality * features.shape[1] ** 0.5
        return torch.cat([features / self.scale, weight * places], dim=1)

    def _scores(self, vectors: Tensor) -> Tensor:
        """`(P,)` re-weighted distances of `(P, C + 3)` patches."""
        closest = nearest_of_bank(vectors, self.patches, 1)[:, 0]  # (P,)
        around = self.patches[self.nearest[closest]]  # (P, b, C + 3)
        # Sums of squares, not matrix products: the latter may round differently from call to call.
        distances = (vectors[:, None] - around).square().sum(dim=2).sqrt()
        return reweighted(distances)


def reweighted(distances: Tensor) -> Tensor:
    """`(P,)` scores of distances `(P, b)` from the nearest patch of the bank, first, and from those around it."""
    if distances.shape[1] == 1:
        return distances[:, 0]
    return (1 - distances.softmax(dim=1)[:, 0]) * distances[:, 0]


def nearest_of_bank(vectors: Tensor, bank: Tensor, count: int) -> Tensor:
    """Which `(P, count)` of the `(M, D)` bank lie nearest to `(P, D)` vectors, the nearest first."""
    squares = bank.square().sum(dim=1)
    parts = (squares - 2 * part @ bank.T for part in vectors.split(AT_ONCE))
    return torch.cat([part.topk(min(count, len(bank)), largest=False).indices for part in parts])


def coreset(vectors: Tensor, size: int) -> Tensor:
    """`(M,)` of `(N, D)` vectors: the first, then always the one farthest from those chosen; all where M >= N.

    Its largest distance from a vector to the nearest chosen one is at most twice the least that M can have.

    References:
        Gonzalez 1985, "Clustering to minimize the maximum intercluster distance".
    """
    size = min(size, len(vectors))
    chosen = torch.zeros(size, dtype=torch.int64, device=vectors.device)
    distances = torch.full((len(vectors),), torch.inf, device=vectors.device)
    for index in range(1, size):
        to_last = (vectors - vectors[chosen[index - 1]]).square().sum(dim=1)
        distances = torch.minimum(distances, to_last)
        chosen[index] = distances.argmax()
    return chosen

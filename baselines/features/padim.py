"""PaDiM: a Gaussian of healthy patch features for every place of the registered brain."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

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

AT_ONCE = 1024  # cells whose covariances are held as whole matrices


class PaDiM(PatchFeatures):
    """Patch distribution modelling: the Mahalanobis distance of a patch from the healthy patches at its place.

    At every cell p the features of the training brains have the mean m_p and the covariance

        S_p = 1 / (N - 1) sum_k (x_k - m_p) (x_k - m_p)^T + epsilon diag(v)

    with v the variance of each channel over all cells and brains. The score of a patch x at p is
    sqrt((x - m_p)^T S_p^-1 (x - m_p)). Memory depends on the cells and dimensions, not on the number of scans.

    References:
        Defard, Setkov, Loesch, Audigier 2021, "PaDiM: A patch distribution modeling framework for anomaly detection
        and localization", ICPR workshops, arXiv 2011.08785, eqs. 1 and 2.
    """

    @dataclass(frozen=True)
    class Config(PatchFeatures.Config):
        """The encoder's, and the Gaussians'.

        Attributes:
            dimensions: channels that are kept, drawn at random; all where there are fewer.
            epsilon: added to the diagonal of each covariance, as a share of the channel's variance.
            coverage: share of the training brains that a cell has to lie in; others have no Gaussian.
        """

        dimensions: int = 100
        epsilon: float = 0.01
        coverage: float = 0.5

        def __post_init__(self) -> None:
            super().__post_init__()
            if self.dimensions < 1:
                raise BadValue(f"Got dimensions {self.dimensions}, expected 1 or more.")
            if not self.epsilon > 0:
                raise BadValue(f"Got epsilon {self.epsilon:g}, expected more than 0.")
            if not 0 < self.coverage <= 1:
                raise BadValue(f"Got coverage {self.coverage:g}, expected a share of more than 0 and at most 1.")

    card: ClassVar[Card] = Card(
        printed_name="PaDiM",
        supervision="healthy scans",
        trained_on=(
            "Mean and covariance of patch features of the healthy training scans, place by place. The encoder, "
            f"{ENCODERS_TRAINED_ON}"
        ),
        tuned_on=(
            "Stages, dimensions and epsilon: its authors, on defects of industrial products (MVTec AD). Sizes of the "
            "encoder's input: round numbers; no label was looked at."
        ),
        references=(
            "Defard et al. 2021, PaDiM: A patch distribution modeling framework for anomaly detection and "
            "localization, ICPR workshops, arXiv 2011.08785, eqs. 1 and 2",
            *ENCODER_REFERENCES,
        ),
        departures=(
            *TRAINING_DEPARTURES,
            *ENCODER_DEPARTURES,
            "epsilon counts in units of each channel's variance, since these encoders' scales are not ImageNet's.",
            "Cells outside of half of the training brains have no Gaussian; voxels there take the scores of their "
            "neighbours (coverage).",
        ),
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        name: {**values, "dimensions": 40} for name, values in PRESETS.items()
    }
    learnt: ClassVar[Mapping[str, torch.dtype]] = {
        "chosen": torch.int64,  # (d,) channels
        "known": torch.bool,  # (x, y, z) cells with a Gaussian
        "mean": torch.float32,  # (P, d)
        "whitening": torch.float32,  # (P, d (d + 1) / 2): lower triangles W with S^-1 = W^T W, packed by rows
    }
    config: Config
    chosen: Tensor
    known: Tensor
    mean: Tensor
    whitening: Tensor

    def learn(self, train: Sequence[Case], generator: torch.Generator) -> None:
        """Two readings: which cells the brains cover, then the moments of their features."""
        device = self.device
        kept = torch.randperm(self.channels, generator=generator)[: self.config.dimensions]
        self.chosen = kept.sort().values.to(device)
        covered = sum(self.brain_cells(brain_mask).int() for _, brain_mask in brains(train, device))
        assert isinstance(covered, Tensor)
        self.known = covered >= self.config.coverage * len(train)
        moments = RunningCovariance(int(self.known.sum()), len(self.chosen), device)
        for image, brain_mask in brains(train, device):
            present = self.brain_cells(brain_mask)[self.known]
            moments.add(self.features(image, self.chosen)[:, self.known].T, present)
        self.mean, self.whitening = moments.mean, moments.whitening(self.config.epsilon)

    @property
    def selection(self) -> Tensor:
        return self.chosen

    def score(self, features: Tensor, brain: Tensor) -> tuple[Tensor, Tensor]:
        scores = features.new_zeros(self.known.shape)
        deviations = features[:, self.known].T - self.mean  # (P, d)
        parts = zip(deviations.split(AT_ONCE), self.whitening.split(AT_ONCE), strict=True)
        # Sums of products, not matrix products: the latter may round differently from call to call.
        whitened = ((unpacked(packed) * part[:, None]).sum(dim=2) for part, packed in parts)
        scores[self.known] = torch.cat([part.square().sum(dim=1).sqrt() for part in whitened])
        return scores, self.known

    def memory_bound(self, shape: Sequence[int], volumes: int) -> int:
        """Plus some whole triangles, twice, and the deviations."""
        dimensions = min(self.config.dimensions, self.channels)
        return super().memory_bound(shape, volumes) + 3 * FLOAT32 * AT_ONCE * dimensions**2


class RunningCovariance:
    """Means and covariances of `cells` places, brain by brain, in the memory of one covariance a place.

    References:
        Welford 1962, "Note on a method for calculating corrected sums of squares and products", for vectors.
    """

    def __init__(self, cells: int, dimensions: int, device: torch.device) -> None:
        self.count = torch.zeros(cells, 1, device=device)
        self.mean = torch.zeros(cells, dimensions, device=device)
        self.products = torch.zeros(cells, dimensions, dimensions, device=device)

    def add(self, features: Tensor, present: Tensor) -> None:
        """`features` `(P, d)` of a brain, counted where it is `present` `(P,)` bool."""
        self.count += present[:, None]
        before = torch.where(present[:, None], features - self.mean, 0.0)
        self.mean += before / self.count.clamp(min=1)
        after = torch.where(present[:, None], features - self.mean, 0.0)
        for rows in _groups(len(before)):
            self.products[rows] += before[rows, :, None] * after[rows, None, :]

    def whitening(self, epsilon: float) -> Tensor:
        """`(P, d (d + 1) / 2)` packed lower triangles W with W^T W = S^-1."""
        freedom = (self.count - 1).clamp(min=1)
        within = self.products.diagonal(dim1=1, dim2=2) / freedom
        variance = within.mean(dim=0) + self.mean.var(dim=0, correction=0)  # of each channel, over everything
        floor = torch.diag(epsilon * variance.clamp(min=torch.finfo(variance.dtype).tiny))
        packed = []
        for rows in _groups(len(self.mean)):
            covariance = (self.products[rows] / freedom[rows, :, None] + floor).double()
            factor = torch.linalg.cholesky((covariance + covariance.mT) / 2)
            identity = torch.eye(len(floor), dtype=factor.dtype, device=factor.device).expand_as(factor)
            packed.append(_packed(torch.linalg.solve_triangular(factor, identity, upper=False)).float())
        return torch.cat(packed)


def unpacked(packed: Tensor) -> Tensor:
    """`(P, d, d)` lower triangles of `(P, d (d + 1) / 2)` packed ones."""
    size = round((2 * packed.shape[1] + 0.25) ** 0.5 - 0.5)
    whole = packed.new_zeros(len(packed), size, size)
    rows, columns = torch.tril_indices(size, size, device=packed.device)
    whole[:, rows, columns] = packed
    return whole


def _packed(triangles: Tensor) -> Tensor:
    rows, columns = torch.tril_indices(*triangles.shape[1:], device=triangles.device)
    return triangles[:, rows, columns]


def _groups(length: int) -> Iterator[slice]:
    return (slice(start, start + AT_ONCE) for start in range(0, length, AT_ONCE))

"""Score and SCORES: anomaly maps made anew of a kept scan and its reconstruction, in place of the method's own."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.image_similarity import structural_similarity
from benchmark.metrics.masks import Mask, Scores
from datasets.registry import Registry, place_of

SSIM_WIDTHS = (0.3, 0.5, 0.7, 0.9, 1.1, 1.3, 1.5, 1.7)  # voxels, as published
SMALLEST_SPREAD = 1e-6  # of healthy residuals of images in [0, 1]
ROUNDING = 1e-3  # of a kept map, of itself, and of a kept reconstruction of an image in [0, 1]


@dataclass(frozen=True)
class HealthyResiduals:
    """Mean and s.d. of image - reconstruction over healthy training scans, voxel by voxel, both `(X, Y, Z)`."""

    mean: Scores
    spread: Scores


@dataclass(frozen=True)
class ReconstructedScan:
    """All that a score may look at: no lesion mask and no other scan of its cohort. Volumes are `(X, Y, Z)`.

    Attributes:
        image: in [0, 1] as the method saw it, 0 outside the brain.
        reconstruction: float32, neither clamped nor masked.
        healthy: None where no score asks for it.
        magnitude: |image - reconstruction| in the brain, where that is kept as the anomaly map; None elsewhere.
    """

    image: Scores
    reconstruction: Scores
    brain_mask: Mask
    healthy: HealthyResiduals | None = None
    magnitude: Scores | None = None

    @property
    def residual(self) -> Scores:
        """Image - reconstruction; with a `magnitude` its sign alone, since a kept map holds the order of its values."""
        residual = self.image - self.reconstruction
        return residual if self.magnitude is None else np.copysign(self.magnitude, residual)


@dataclass(frozen=True)
class Score:
    """A named way to make an anomaly map of a scan and its reconstruction.

    Attributes:
        what: short definition.
        function: from a scan to its map `(X, Y, Z)`, 0 or more; what it gives outside the brain is not used.
        needs_healthy: whether it uses `ReconstructedScan.healthy`.
        revision: raised with every change of the function that changes a map.
        origin: a plugin's distribution and version; "" for a built-in.

    Examples:
        >>> SCORES["l1"].what
        '|image - reconstruction|'
    """

    name: str
    title: str
    what: str
    function: Callable[[ReconstructedScan], Scores] = field(repr=False)
    needs_healthy: bool = False
    revision: int = 1
    origin: str = ""

    @property
    def in_key(self) -> dict[str, object]:
        """All of it that can change a map; a plugin's is also told by where its function is."""
        known: dict[str, object] = {"score": self.name, "revision": self.revision, "origin": self.origin}
        return known | {"function": place_of(self.function)} if self.origin else known

    def __call__(self, scan: ReconstructedScan) -> Scores:
        """The anomaly map `(X, Y, Z)` float32, 0 outside the brain.

        Raises:
            ValueError: the function gives another shape, or values that are not finite or negative.
        """
        made = np.asarray(self.function(scan))
        if made.shape != scan.image.shape:
            raise ValueError(f"Score '{self.name}': got a map of shape {made.shape}, expected {scan.image.shape}.")
        anomaly_map = np.where(scan.brain_mask, made, 0).astype(np.float32)
        if not (np.isfinite(anomaly_map) & (anomaly_map >= 0)).all():
            got = f"values from {float(anomaly_map.min()):g} to {float(anomaly_map.max()):g}"
            raise ValueError(f"Score '{self.name}': got {got} in the brain, expected finite ones from 0 up.")
        return anomaly_map


def is_residual(anomaly_map: Scores, scan: ReconstructedScan) -> bool:
    """Whether a kept map `(X, Y, Z)` is |image - reconstruction| in the brain, as far as both are kept."""
    if scan.reconstruction.shape != anomaly_map.shape:
        return False
    residual = np.abs(scan.image - scan.reconstruction)[scan.brain_mask]
    return np.allclose(anomaly_map[scan.brain_mask], residual, rtol=ROUNDING, atol=ROUNDING)


def healthy_residuals(scans: Iterable[ReconstructedScan]) -> HealthyResiduals:
    """Mean and s.d. of the residuals of healthy scans, at each voxel over the scans whose brain it lies in.

    At each voxel one further residual is counted that has the mean and mean square of all of them, so that a voxel of
    few brains has moments too.

    Raises:
        ValueError: there is no scan, or none with a brain.
    """
    count = total = squares = np.zeros(())
    for scan in scans:
        residual = np.where(scan.brain_mask, scan.residual, 0).astype(np.float64)
        count, total, squares = count + scan.brain_mask, total + residual, squares + residual**2
    if not count.any():
        raise ValueError("Got no healthy scan with a brain, expected at least one.")
    mean = (total + total.sum() / count.sum()) / (count + 1)
    variance = (squares + squares.sum() / count.sum()) / (count + 1) - mean**2
    return HealthyResiduals(mean.astype(np.float32), np.sqrt(variance.clip(min=0)).astype(np.float32))


def _l1(scan: ReconstructedScan) -> Scores:
    return np.abs(scan.residual)


def _darker(scan: ReconstructedScan) -> Scores:
    return np.maximum(-scan.residual, 0)


def _brighter(scan: ReconstructedScan) -> Scores:
    return np.maximum(scan.residual, 0)


def _dissimilarity(scan: ReconstructedScan) -> NDArray[np.float32]:
    """1 - the mean of similarities s by windows of several widths, weighted by exp(-s) voxel by voxel.

    References:
        Behrendt et al.: Diffusion models with ensembled structure-based anomaly scoring for unsupervised anomaly
        detection. ISBI 2024, arXiv 2403.14262; widths and weights as in the authors' program.
    """
    similarities = np.stack([structural_similarity(scan.image, scan.reconstruction, width) for width in SSIM_WIDTHS])
    weights = np.exp(-similarities)
    similarity = (weights * similarities).sum(axis=0) / weights.sum(axis=0)
    return np.clip(1 - similarity, 0, None).astype(np.float32)  # rounding may leave a similarity just above 1


def _standardised(scan: ReconstructedScan) -> Scores:
    if scan.healthy is None:
        raise ValueError("Got no residuals of healthy training scans, expected their mean and spread.")
    spread = np.maximum(scan.healthy.spread, SMALLEST_SPREAD)
    return np.abs(scan.residual - scan.healthy.mean) / spread


SCORES = Registry(
    "score",
    "uadbench.scores",
    Score,
    {
        score.name: score
        for score in (
            Score("l1", "absolute residual", "|image - reconstruction|", _l1),
            Score("darker", "darker than reconstructed", "max(0, reconstruction - image)", _darker),
            Score("brighter", "brighter than reconstructed", "max(0, image - reconstruction)", _brighter),
            Score(
                "ssim",
                "structural dissimilarity",
                "1 - structural similarity in axial slices, over windows of several widths (Behrendt et al. 2024)",
                _dissimilarity,
            ),
            Score(
                "standardised",
                "standardised residual",
                "|residual - mean| / s.d., voxel by voxel, of the residuals of the healthy training scans: in-sample, "
                "the method has seen them",
                _standardised,
                needs_healthy=True,
            ),
        )
    },
)

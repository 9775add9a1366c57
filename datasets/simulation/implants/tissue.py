"""Tissues: white matter, grey matter and CSF of a healthy scan, segmented by intensity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.errors import BadFile

FloatArray = NDArray[np.float32]
Mask = NDArray[np.bool_]
Tissue = Literal["csf", "grey", "white"]

# Darkest first.
ORDER: Mapping[str, tuple[Tissue, Tissue, Tissue]] = {
    "t1": ("csf", "grey", "white"),
    "t1ce": ("csf", "grey", "white"),
    "t2": ("white", "grey", "csf"),
    "flair": ("csf", "white", "grey"),
}
BEST_FIRST = tuple(ORDER)  # sequences by how well they separate tissues


@dataclass(frozen=True)
class Tissues:
    """The tissues of one head; all volumes `(X, Y, Z)`.

    Attributes:
        csf: share of a voxel that is CSF, in [0, 1]; 1 outside the brain.
        csf_mm: distance to the nearest voxel that is mostly CSF or outside.
        edge_mm: distance to the outside of the brain.
    """

    brain_mask: Mask
    grey: Mask
    white: Mask
    csf: FloatArray
    csf_mm: FloatArray
    edge_mm: FloatArray
    spacing: tuple[float, float, float]

    @property
    def solid(self) -> Mask:
        """Brain voxels with less than half CSF."""
        return self.csf < 0.5

    @property
    def voxel_ml(self) -> float:
        return float(np.prod(self.spacing)) / 1000

    def step(self, image: NDArray[Any]) -> float:
        """The grey-white step, the unit of contrast: difference of the medians of grey and white matter in an image.

        Raises:
            BadFile: the medians are equal.
        """
        inside = [image[ndimage.binary_erosion(mask) if deep else mask] for mask, deep in self._samples()]
        grey, white = (float(np.median(values)) if values.size else np.nan for values in inside)
        if not abs(white - grey) > 0:
            raise BadFile(f"Got grey matter of {grey:g} and white matter of {white:g}, expected a difference.")
        return abs(white - grey)

    def _samples(self) -> Sequence[tuple[Mask, bool]]:
        """Masks to sample, and whether to erode them; grey matter is too thin to erode."""
        return (self.grey, False), (self.white, bool(ndimage.binary_erosion(self.white).any()))


def segment_tissues(
    images: Mapping[str, NDArray[Any]], brain_mask: Mask, spacing: tuple[float, float, float]
) -> Tissues:
    """Three classes of the brain's intensities, by Lloyd's algorithm from fixed quantiles.

    No atlas is used: tissues are defined by intensity alone. A voxel's share of CSF rises linearly from the level of
    the class next to CSF to that of CSF.

    Args:
        images: `(X, Y, Z)` by sequence, at least one of `ORDER`; the first one in `ORDER` is used.

    Raises:
        BadFile: the sequence is none of those, or the brain has fewer than three intensities.
    """
    sequence = next((name for name in BEST_FIRST if name in images), None)
    if sequence is None:
        raise BadFile(f"Got sequences {', '.join(images)}, expected one of {', '.join(ORDER)} to tell tissues by.")
    image, order = images[sequence].astype(np.float32), ORDER[sequence]
    levels = _three_levels(image[brain_mask])
    nearest = np.argmin(np.abs(image[..., None] - levels.astype(np.float32)), axis=-1)
    csf_at = order.index("csf")
    fluid, beside = levels[csf_at], levels[1]
    csf = np.where(brain_mask, np.clip((image - beside) / (fluid - beside), 0, 1), 1).astype(np.float32)
    return Tissues(
        brain_mask=brain_mask,
        grey=brain_mask & (nearest == order.index("grey")),
        white=brain_mask & (nearest == order.index("white")),
        csf=csf,
        csf_mm=_distance(csf < 0.5, spacing),
        edge_mm=_distance(brain_mask, spacing),
        spacing=spacing,
    )


def _distance(inside: Mask, spacing: tuple[float, float, float]) -> FloatArray:
    return np.asarray(ndimage.distance_transform_edt(inside, sampling=spacing), dtype=np.float32)


def _three_levels(values: FloatArray) -> NDArray[np.float64]:
    """Three class means, ascending; Lloyd's algorithm on one dimension."""
    levels = np.quantile(values.astype(np.float64), (0.05, 0.45, 0.85))
    ordered = np.sort(values.astype(np.float64))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    for _ in range(100):
        cuts = np.searchsorted(ordered, (levels[1:] + levels[:-1]) / 2)
        bounds = np.array([0, *cuts, ordered.size])
        counts = np.diff(bounds)
        if not counts.all():
            raise BadFile("Got a brain of fewer than three intensities, expected one with tissues.")
        moved = np.diff(sums[bounds]) / counts
        if np.allclose(moved, levels, rtol=1e-6):
            break
        levels = moved
    return np.asarray(levels)

"""GroundTruth, where a case's brain and lesion lie, and Prediction, what is predicted of that brain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.lesionwise import BOUNDED, Matches, large_enough
from benchmark.metrics.masks import (
    SPARSE,
    Components,
    Mask,
    components,
    connected,
    far_from_lesion,
    nested_components,
    padded_shape,
    places_of,
    voxel_ml,
)
from datasets.case import Case, CaseFiles, Masks

Voxel = TypeVar("Voxel", bound=np.generic)


@dataclass(frozen=True)
class GroundTruth:
    """What scoring has to know of a case beside its map; V voxels in the brain.

    Attributes:
        brain_mask: `(X, Y, Z)`.
        lesion_mask: `(X, Y, Z)`; None for a healthy case.
        spacing: voxel edges in mm.
        cut_off: lesion volume outside the grid's box, in voxels of the grid.
    """

    files: CaseFiles
    brain_mask: Mask
    lesion_mask: Mask | None
    spacing: tuple[float, float, float]
    cut_off: float

    @property
    def voxel_ml(self) -> float:
        return voxel_ml(self.spacing)

    @property
    def has_lesion(self) -> bool:
        """Whether there is a lesion, if only outside the box."""
        return self.lesion_mask is not None and bool(self.lesion_mask.any() or self.cut_off)

    @cached_property
    def kinds(self) -> frozenset[str]:
        """The kinds of cases that this one is of; see `Metric.cases`."""
        labelled = () if self.lesion_mask is None else ("labelled",)
        return frozenset(("all", "lesion" if self.has_lesion else "healthy", *labelled))

    @cached_property
    def mask(self) -> Mask:
        """`(X, Y, Z)` the lesion; all False in a healthy case."""
        return np.zeros_like(self.brain_mask) if self.lesion_mask is None else self.lesion_mask

    @cached_property
    def lesion(self) -> Mask:
        """`(V,)` over the brain's voxels."""
        return self.mask[self.brain_mask]

    @cached_property
    def outside_brain(self) -> int:
        """Lesion voxels inside the box and outside the brain mask."""
        return int(np.count_nonzero(self.mask)) - int(np.count_nonzero(self.lesion))

    @cached_property
    def positives(self) -> float:
        """All lesion voxels, missed ones too."""
        return int(np.count_nonzero(self.mask)) + self.cut_off

    @property
    def missed(self) -> float:
        """Lesion voxels that no map can find: outside the grid's box or outside the brain mask."""
        return self.cut_off + self.outside_brain

    @cached_property
    def lesions(self) -> Components:
        """The 26-connected lesions inside the box."""
        return components(self.mask)

    @cached_property
    def lesion_number(self) -> NDArray[np.integer]:
        """`(V,)` which of `lesions` a brain voxel belongs to, -1 for none."""
        numbers = np.full(self.brain_mask.shape, -1, dtype=np.int32)
        numbers[self.mask] = self.lesions.labels
        return numbers[self.brain_mask]

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """`(V,)` of the brain's voxels; see `connected`."""
        return places_of(self.brain_mask)

    @cached_property
    def far(self) -> Mask:
        """`(V,)` brain voxels more than 10 mm from the lesion."""
        return far_from_lesion(self.mask, self.brain_mask, self.spacing)[self.brain_mask]

    @cached_property
    def far_voxels(self) -> int:
        return int(np.count_nonzero(self.far))

    def volume(self, values: NDArray[Voxel]) -> NDArray[Voxel]:
        """`(V,)` values put back to their places in `(X, Y, Z)`, zero elsewhere."""
        whole = np.zeros(self.brain_mask.shape, dtype=values.dtype)
        whole[self.brain_mask] = values
        return whole

    def prediction(self, mask: Mask) -> "Prediction":
        """A mask `(V,)` and its components."""
        if np.count_nonzero(mask) > SPARSE * self.brain_mask.size:
            return Prediction(np.flatnonzero(mask), components(self.volume(mask)))
        return Prediction(np.flatnonzero(mask), connected(self.places[mask], padded_shape(self.brain_mask)))

    def predictions(self, scores: NDArray[np.float32], thresholds: Sequence[float]) -> Iterator["Prediction"]:
        """What lies above each of some falling thresholds; scores `(V,)` are through the whole pipeline.

        Each prediction is valid until the next one is made.
        """
        rungs = np.array(thresholds, dtype=np.float64)[::-1]
        voxels = np.flatnonzero(scores.astype(np.float64) > rungs.min(initial=np.inf))
        depths = rungs.size - np.searchsorted(rungs, scores[voxels].astype(np.float64), side="left")
        order = np.argsort(depths.astype(np.int16), kind="stable")
        voxels, depths = voxels[order], depths[order]
        places, shape = self.places[voxels], padded_shape(self.brain_mask)
        for parts in nested_components(places, depths, shape, rungs.size):
            yield Prediction(voxels[: parts.labels.size], parts)

    def matches(self, prediction: "Prediction") -> Matches:
        """`match_lesions` of a prediction."""
        parts, number = prediction.components, self.lesion_number[prediction.voxels]
        inside = number >= 0
        return Matches(
            found=large_enough(number[inside], self.lesions.sizes),
            true=large_enough(parts.labels[inside], parts.sizes),
        )

    def bounded_matches(self, prediction: "Prediction") -> Matches:
        """The same by the rule `overlap-10-30`."""
        parts, number = prediction.components, self.lesion_number[prediction.voxels]
        true = large_enough(parts.labels[number >= 0], parts.sizes, BOUNDED)
        counted = (number >= 0) & true[parts.labels]
        return Matches(found=large_enough(number[counted], self.lesions.sizes), true=true)


@dataclass(frozen=True)
class Prediction:
    """What is predicted of a brain.

    Attributes:
        voxels: `(n,)` which of the V voxels of the brain.
        components: the 26-connected components, in the order of `voxels`.
    """

    voxels: NDArray[np.intp]
    components: Components


def ground_truth_of(files: CaseFiles, case: Case | Masks) -> GroundTruth:
    cut_off = case.lesion_outside_grid_ml / case.voxel_ml
    return GroundTruth(files, case.brain_mask, case.lesion_mask, case.spacing, cut_off)

"""GroundTruth, where a case's brain and lesion lie, and Prediction, what is predicted of that brain."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.lesionwise import BOUNDED, Matches, large_enough
from benchmark.metrics.masks import (
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
from benchmark.metrics.surface_distance import LesionSurface, diameter
from datasets.case import Case, CaseFiles, Masks

Voxel = TypeVar("Voxel", bound=np.generic)


@dataclass(frozen=True)
class GroundTruth:
    """What scoring has to know of a case beside its map; V voxels of the brain are scored.

    Attributes:
        brain_mask: `(X, Y, Z)`, as post-processing sees it.
        lesion_mask: `(X, Y, Z)`; None for a healthy case.
        spacing: voxel edges in mm.
        cut_off: lesion volume outside the grid's box, in voxels of the grid.
        ignore_mask: `(X, Y, Z)`, voxels that are neither right nor wrong; those that are lesion too are scored as
            lesion. None where there are none.
        lost_ml: volume of each lesion inside the box that is too small to leave a voxel on the grid.
    """

    files: CaseFiles
    brain_mask: Mask
    lesion_mask: Mask | None
    spacing: tuple[float, float, float]
    cut_off: float
    ignore_mask: Mask | None = None
    lost_ml: tuple[float, ...] = ()

    @property
    def voxel_ml(self) -> float:
        return voxel_ml(self.spacing)

    @property
    def has_lesion(self) -> bool:
        """Whether there is a lesion, if only one that no voxel of the grid shows."""
        return self.lesion_mask is not None and bool(self.lesion_mask.any() or self.off_grid)

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
    def ignored(self) -> Mask:
        """`(X, Y, Z)` voxels of the box that leave every score."""
        return np.zeros_like(self.brain_mask) if self.ignore_mask is None else self.ignore_mask & ~self.mask

    @cached_property
    def scored_mask(self) -> Mask:
        """`(X, Y, Z)` the V voxels: the brain without what is ignored."""
        return self.brain_mask & ~self.ignored

    @cached_property
    def lesion(self) -> Mask:
        """`(V,)` over the scored voxels."""
        return self.mask[self.scored_mask]

    @cached_property
    def off_grid(self) -> float:
        """Lesion volume that no voxel of the grid shows, in voxels: cut off by the box, or too small for the grid."""
        return self.cut_off + sum(self.lost_ml) / self.voxel_ml

    @cached_property
    def outside_brain(self) -> int:
        """Lesion voxels inside the box and outside the brain mask."""
        return int(np.count_nonzero(self.mask)) - int(np.count_nonzero(self.lesion))

    @cached_property
    def positives(self) -> float:
        """All lesion voxels, missed ones too."""
        return int(np.count_nonzero(self.mask)) + self.off_grid

    @property
    def missed(self) -> float:
        """Lesion voxels that no map can find: on no voxel of the grid, or outside the brain mask."""
        return self.off_grid + self.outside_brain

    @cached_property
    def lesions(self) -> Components:
        """The 26-connected lesions on the grid."""
        return components(self.mask)

    @cached_property
    def lesion_volumes(self) -> NDArray[np.float64]:
        """`(lesions,)` in ml, those on the grid before those lost."""
        return np.append(self.lesions.sizes * self.voxel_ml, self.lost_ml)

    @cached_property
    def lesion_number(self) -> NDArray[np.integer]:
        """`(V,)` which of `lesions` a voxel belongs to, -1 for none."""
        numbers = np.full(self.brain_mask.shape, -1, dtype=np.int32)
        numbers[self.mask] = self.lesions.labels
        return numbers[self.scored_mask]

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """`(V,)` of the scored voxels; see `connected`."""
        return places_of(self.scored_mask)

    @cached_property
    def surface(self) -> LesionSurface:
        """That of the lesion's voxels, of which there is one at least."""
        return LesionSurface(self.mask, self.spacing)

    @cached_property
    def diameter(self) -> float:
        """Of brain and lesion, in mm."""
        return diameter(self.brain_mask | self.mask, self.spacing)

    @cached_property
    def far(self) -> Mask:
        """`(V,)` those more than 10 mm from the lesion."""
        return far_from_lesion(self.mask, self.brain_mask, self.spacing)[self.scored_mask]

    @cached_property
    def far_voxels(self) -> int:
        return int(np.count_nonzero(self.far))

    def volume(self, values: NDArray[Voxel]) -> NDArray[Voxel]:
        """`(V,)` values put back to their places in `(X, Y, Z)`, zero elsewhere."""
        whole = np.zeros(self.brain_mask.shape, dtype=values.dtype)
        whole[self.scored_mask] = values
        return whole

    def prediction(self, mask: Mask) -> "Prediction":
        """A mask `(V,)` and its components."""
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
        """`match_lesions` of a prediction; lesions too small for the grid are missed."""
        parts, number = prediction.components, self.lesion_number[prediction.voxels]
        inside = number >= 0
        return Matches(self._found(number[inside]), large_enough(parts.labels[inside], parts.sizes))

    def bounded_matches(self, prediction: "Prediction") -> Matches:
        """The same by the rule `overlap-10-30`."""
        parts, number = prediction.components, self.lesion_number[prediction.voxels]
        inside = number >= 0
        true = large_enough(parts.labels[inside], parts.sizes, BOUNDED)
        return Matches(self._found(number[inside & true[parts.labels]]), true)

    def _found(self, shared: NDArray[np.integer]) -> Mask:
        """Which lesions are found, those that the grid loses last; `shared` has the lesion of each predicted voxel."""
        return np.append(large_enough(shared, self.lesions.sizes), np.zeros(len(self.lost_ml), dtype=bool))


@dataclass(frozen=True)
class Prediction:
    """What is predicted of a brain.

    Attributes:
        voxels: `(n,)` which of the V scored voxels.
        components: the 26-connected components, in the order of `voxels`.
    """

    voxels: NDArray[np.intp]
    components: Components


def ground_truth_of(files: CaseFiles, case: Case | Masks) -> GroundTruth:
    cut_off = case.lesion_outside_grid_ml / case.voxel_ml
    return GroundTruth(
        files, case.brain_mask, case.lesion_mask, case.spacing, cut_off, case.ignore_mask, case.lost_lesions_ml
    )

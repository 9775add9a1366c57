"""Anatomy: where a case's brain and lesion lie, without its image, in memory and on disk."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.false_positives import far_from_lesion
from benchmark.metrics.lesionwise import Found, large_enough
from benchmark.metrics.masks import (
    SPARSE,
    Components,
    Mask,
    components,
    connected,
    nested_components,
    padded_shape,
    places_of,
)
from benchmark.metrics.overlap import dice_of, precision_of, recall_of
from benchmark.metrics.surface_distance import diameter, hd95_of, surface_dice_of, surface_distances
from datasets.case import Case, CaseFiles, Masks

Voxel = TypeVar("Voxel", bound=np.generic)


@dataclass(frozen=True)
class Anatomy:
    """What scoring has to know of a case; B voxels in the box, V of them in the brain.

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
        return float(np.prod(self.spacing)) / 1000

    @property
    def has_lesion(self) -> bool:
        """Whether there is a lesion, if only outside the box."""
        return self.lesion_mask is not None and bool(self.lesion_mask.any() or self.cut_off)

    @cached_property
    def truth(self) -> Mask:
        """`(X, Y, Z)` the lesion; all False in a healthy case."""
        return np.zeros_like(self.brain_mask) if self.lesion_mask is None else self.lesion_mask

    @cached_property
    def lesion(self) -> Mask:
        """`(V,)` over the brain's voxels."""
        return self.truth[self.brain_mask]

    @cached_property
    def outside_brain(self) -> int:
        """Lesion voxels inside the box and outside the brain mask."""
        return int(np.count_nonzero(self.truth)) - int(np.count_nonzero(self.lesion))

    @cached_property
    def positives(self) -> float:
        """All lesion voxels, missed ones too."""
        return int(np.count_nonzero(self.truth)) + self.cut_off

    @property
    def missed(self) -> float:
        """Lesion voxels that no map can find: outside the grid's box or outside the brain mask."""
        return self.cut_off + self.outside_brain

    @cached_property
    def lesions(self) -> Components:
        """The 26-connected lesions inside the box."""
        return components(self.truth)

    @cached_property
    def lesion_number(self) -> NDArray[np.integer]:
        """`(V,)` which of `lesions` a brain voxel belongs to, -1 for none."""
        numbers = np.full(self.brain_mask.shape, -1, dtype=np.int32)
        numbers[self.truth] = self.lesions.labels
        return numbers[self.brain_mask]

    @cached_property
    def places(self) -> NDArray[np.intp]:
        """`(V,)` of the brain's voxels; see `connected`."""
        return places_of(self.brain_mask)

    def prediction(self, mask: Mask) -> "Prediction":
        """A mask `(V,)` and its alarms."""
        if np.count_nonzero(mask) > SPARSE * self.brain_mask.size:
            return Prediction(np.flatnonzero(mask), components(self.volume(mask)))
        return Prediction(np.flatnonzero(mask), connected(self.places[mask], padded_shape(self.brain_mask)))

    def predictions(self, scores: NDArray[np.float32], thresholds: Sequence[float]) -> Iterator["Prediction"]:
        """What lies above each of some falling thresholds; scores `(V,)` are through the whole chain.

        A prediction holds until the next is asked for.
        """
        rungs = np.array(thresholds, dtype=np.float64)[::-1]
        voxels = np.flatnonzero(scores.astype(np.float64) > rungs.min(initial=np.inf))
        depths = rungs.size - np.searchsorted(rungs, scores[voxels].astype(np.float64), side="left")
        order = np.argsort(depths.astype(np.int16), kind="stable")
        voxels, depths = voxels[order], depths[order]
        places, shape = self.places[voxels], padded_shape(self.brain_mask)
        for alarms in nested_components(places, depths, shape, rungs.size):
            yield Prediction(voxels[: alarms.labels.size], alarms)

    def found(self, prediction: "Prediction") -> Found:
        """`find_lesions` of a prediction."""
        alarms, number = prediction.alarms, self.lesion_number[prediction.voxels]
        inside = number >= 0
        return Found(
            found=large_enough(number[inside], self.lesions.sizes),
            true=large_enough(alarms.labels[inside], alarms.sizes),
        )

    @cached_property
    def far(self) -> Mask:
        """`(V,)` brain voxels more than 10 mm from the lesion."""
        return far_from_lesion(self.truth, self.brain_mask, self.spacing)[self.brain_mask]

    @cached_property
    def far_voxels(self) -> int:
        return int(np.count_nonzero(self.far))

    def volume(self, values: NDArray[Voxel]) -> NDArray[Voxel]:
        """`(V,)` values put back to their places in `(X, Y, Z)`, zero elsewhere."""
        whole = np.zeros(self.brain_mask.shape, dtype=values.dtype)
        whole[self.brain_mask] = values
        return whole


@dataclass(frozen=True)
class Prediction:
    """What is alarmed of a brain.

    Attributes:
        voxels: `(n,)` which of the V voxels of the brain.
        alarms: the 26-connected components, in the order of `voxels`.
    """

    voxels: NDArray[np.intp]
    alarms: Components


def anatomy_of(files: CaseFiles, case: Case | Masks) -> Anatomy:
    cut_off = case.lesion_outside_grid_ml / case.voxel_ml
    return Anatomy(files, case.brain_mask, case.lesion_mask, case.spacing, cut_off)


@dataclass(frozen=True)
class KeptAnatomy:
    """An Anatomy whose masks lie in a file, one bit a voxel."""

    files: CaseFiles
    path: Path
    shape: tuple[int, ...]
    spacing: tuple[float, float, float]
    cut_off: float

    def read(self) -> Anatomy:
        brain, lesion = np.unpackbits(
            np.fromfile(self.path, np.uint8).reshape(2, -1), axis=1, count=int(np.prod(self.shape))
        ).view(bool)
        lesion_mask = None if self.files.healthy else lesion.reshape(self.shape)
        return Anatomy(self.files, brain.reshape(self.shape), lesion_mask, self.spacing, self.cut_off)


def keep_anatomy(anatomy: Anatomy, path: Path) -> KeptAnatomy:
    np.packbits([anatomy.brain_mask.ravel(), anatomy.truth.ravel()], axis=1).tofile(path)
    return KeptAnatomy(anatomy.files, path, anatomy.brain_mask.shape, anatomy.spacing, anatomy.cut_off)


LESIONS = ("lesion_recall", "lesion_precision", "lesion_f1", "false_alarms")
SURFACES = ("hd95", "surface_dice")


def decided(prediction: Prediction, one: Anatomy, wanted: Collection[str]) -> dict[str, float]:
    """Every wanted metric of a prediction."""
    values = {} if one.has_lesion else _alarms(prediction, one)
    if one.lesion_mask is not None:
        values |= _overlap(prediction, one)
    if one.has_lesion:
        values["alarm_fraction_far"] = _share(int(np.count_nonzero(one.far[prediction.voxels])), one.far_voxels)
        values |= _found(prediction, one) if set(LESIONS) & set(wanted) else {}
        values |= _surfaces(prediction, one) if set(SURFACES) & set(wanted) else {}
    return {name: value for name, value in values.items() if name in wanted}


def _overlap(prediction: Prediction, one: Anatomy) -> dict[str, float]:
    counts = int(np.count_nonzero(one.lesion[prediction.voxels])), prediction.voxels.size, one.positives
    return {"dice": dice_of(*counts), "precision": precision_of(*counts), "recall": recall_of(*counts)}


def _alarms(prediction: Prediction, one: Anatomy) -> dict[str, float]:
    voxels = prediction.voxels.size
    return {
        "alarm": float(voxels > 0),
        "alarms": float(prediction.alarms.count),
        "alarm_ml": float(voxels) * one.voxel_ml,
        "alarm_fraction": _share(voxels, one.lesion.size),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else np.nan


def _found(prediction: Prediction, one: Anatomy) -> dict[str, float]:
    found = one.found(prediction)
    values = (found.recall, found.precision, found.f1, float(found.false_alarms))
    return dict(zip(LESIONS, values, strict=True))


def _surfaces(prediction: Prediction, one: Anatomy) -> dict[str, float]:
    if not one.truth.any():
        values = (np.nan, np.nan)
    elif not prediction.voxels.size:
        values = (diameter(one.brain_mask | one.truth, one.spacing), 0.0)
    else:
        mask = np.zeros(one.lesion.size, dtype=bool)
        mask[prediction.voxels] = True
        distances = surface_distances(one.volume(mask), one.truth, one.spacing)
        values = (hd95_of(*distances), surface_dice_of(*distances, tolerance=max(one.spacing)))
    return dict(zip(SURFACES, values, strict=True))

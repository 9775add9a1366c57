"""What a prediction is worth, case by case."""

from collections.abc import Collection

import numpy as np

from benchmark.metrics.ground_truth import Anatomy, Prediction
from benchmark.metrics.overlap import dice_of, precision_of, recall_of
from benchmark.metrics.surface_distance import diameter, hd95_of, surface_dice_of, surface_distances

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

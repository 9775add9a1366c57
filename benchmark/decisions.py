"""What a prediction is worth, case by case."""

from collections.abc import Callable, Collection, Mapping

import numpy as np

from benchmark import metrics
from benchmark.anatomy import Anatomy
from benchmark.metrics.masks import Mask
from benchmark.metrics.surfaces import diameter, hd95_of, surface_dice_of, surface_distances

OVERLAP: Mapping[str, Callable[..., float]] = {
    "dice": metrics.dice,
    "precision": metrics.precision,
    "recall": metrics.recall,
}
LESIONS = ("lesion_recall", "lesion_precision", "lesion_f1", "false_alarms")
SURFACES = ("hd95", "surface_dice")


def decided(prediction: Mask, one: Anatomy, wanted: Collection[str]) -> dict[str, float]:
    """Every wanted metric of a prediction `(V,)` over the brain's voxels."""
    values = {} if one.has_lesion else _alarms(prediction, one)
    if one.lesion_mask is not None:
        values |= {name: function(prediction, one.lesion, missed=one.missed) for name, function in OVERLAP.items()}
    if one.has_lesion:
        values["alarm_fraction_far"] = metrics.alarm_fraction(prediction, one.far)
        values |= _found(prediction, one) if set(LESIONS) & set(wanted) else {}
        values |= _surfaces(prediction, one) if set(SURFACES) & set(wanted) else {}
    return {name: value for name, value in values.items() if name in wanted}


def _alarms(prediction: Mask, one: Anatomy) -> dict[str, float]:
    count = one.alarms(prediction).count
    return {
        "alarm": float(count > 0),
        "alarms": float(count),
        "alarm_ml": float(np.count_nonzero(prediction)) * one.voxel_ml,
        "alarm_fraction": float(prediction.mean()) if prediction.size else np.nan,
    }


def _found(prediction: Mask, one: Anatomy) -> dict[str, float]:
    found = one.found(prediction)
    values = (found.recall, found.precision, found.f1, float(found.false_alarms))
    return dict(zip(LESIONS, values, strict=True))


def _surfaces(prediction: Mask, one: Anatomy) -> dict[str, float]:
    if not one.truth.any():
        values = (np.nan, np.nan)
    elif not prediction.any():
        values = (diameter(one.brain_mask | one.truth, one.spacing), 0.0)
    else:
        distances = surface_distances(one.volume(prediction), one.truth, one.spacing)
        values = (hd95_of(*distances), surface_dice_of(*distances, tolerance=max(one.spacing)))
    return dict(zip(SURFACES, values, strict=True))

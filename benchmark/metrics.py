"""What is measured: one pure function a number, and METRICS, their names and directions.

Voxel arrays hold either a brain's voxels or a whole box; both masks of a call hold the same ones. `missed`
counts lesion voxels (a fraction where the scan is finer than the grid) that no array holds because they lie
outside the grid's box: they can only be false negatives. All results are float64.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Scores = NDArray[np.floating]


@dataclass(frozen=True)
class Metric:
    """What is known of a metric.

    Attributes:
        unit: empty for pure numbers.
        higher_is_better: None where a value is neither good nor bad.
        per: a row a case, or one row for all cases of a cohort.
        what: short definition.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool | None
    per: Literal["case", "cohort"]
    what: str


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("dice", "Dice", "", True, "case", "2 TP / (2 TP + FP + FN); no lesion: undefined"),
        Metric("precision", "Precision", "", True, "case", "TP / (TP + FP); nothing predicted: undefined"),
        Metric("recall", "Recall", "", True, "case", "TP / (TP + FN)"),
        Metric("auprc", "AUPRC", "", True, "case", "step-wise average precision over brain voxels"),
        Metric("auprc_box", "AUPRC (box)", "", True, "case", "the same over all voxels of the grid's box"),
        Metric("auprc_pooled", "AUPRC (pooled)", "", True, "cohort", "the same over all cases' brain voxels"),
        Metric("auprc_lift", "AUPRC lift", "", True, "case", "(AP - p) / (1 - p) at lesion prevalence p"),
        Metric("auroc", "AUROC", "", True, "case", "chance that a lesion voxel outranks a healthy one"),
        Metric("l1", "l1", "", False, "case", "mean |image - reconstruction| over the brain"),
        Metric("l1_ratio", "l1 ratio", "", True, "case", "l1 over the lesion / l1 more than 10 mm from it"),
        Metric(
            "restoration_l1",
            "Restoration error",
            "",
            False,
            "case",
            "mean |healthy scan - reconstruction| over the lesion, where the scan without it is known",
        ),
        Metric(
            "restoration_l1_outside",
            "Restoration error outside",
            "",
            False,
            "case",
            "the same over the brain outside the lesion",
        ),
        Metric(
            "lesion_l1",
            "Change by the lesion",
            "",
            None,
            "case",
            "mean |healthy scan - image| over the lesion: the restoration error of a copy",
        ),
        Metric(
            "found",
            "Found",
            "",
            True,
            "case",
            "1 if any voxel of the lesion is alarmed, else 0; no voxel on the grid: undefined",
        ),
        Metric(
            "found_tenth",
            "Found to a tenth",
            "",
            True,
            "case",
            "1 if a tenth of the lesion's voxels is alarmed, else 0; no voxel on the grid: undefined",
        ),
        Metric("alarm", "Any alarm", "", False, "case", "1 if a healthy case has any alarm, else 0"),
        Metric("alarms", "Alarms", "", False, "case", "26-connected components of a healthy case's alarms"),
        Metric("alarm_ml", "Alarm volume", "ml", False, "case", "volume of a healthy case's alarms"),
        Metric("alarm_fraction", "Alarm fraction", "", False, "case", "part of a healthy brain that is alarmed"),
        Metric(
            "alarm_fraction_far",
            "Alarm fraction far from the lesion",
            "",
            False,
            "case",
            "part of a lesion case's brain more than 10 mm from the lesion that is alarmed",
        ),
        Metric("threshold", "Threshold", "", None, "cohort", "scores above it are alarms"),
        Metric("lesion_ml", "Lesion volume", "ml", None, "case", "true lesion, inside and outside the grid's box"),
        Metric("lesion_outside_grid_ml", "Lesion cut off", "ml", None, "case", "true lesion outside the box"),
        Metric("shift_dose", "Dose", "", None, "case", "mean |shifted - unshifted image| over healthy tissue"),
        Metric("seconds", "Time", "s", False, "case", "wall-clock seconds to make one anomaly map"),
        Metric("peak_bytes", "Peak memory", "bytes", False, "cohort", "most device memory held at once"),
    )
}


def dice(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """2 TP / (2 TP + FP + FN), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.

    Returns:
        0 for an empty prediction of a lesion; NaN without lesion.

    Example:
        >>> dice(np.array([True, True, False, False]), np.array([True, False, True, False]))
        0.5
    """
    _check_masks(prediction, lesion)
    positives = np.count_nonzero(lesion) + missed
    if not positives:
        return np.nan
    return float(2 * np.count_nonzero(prediction & lesion) / (np.count_nonzero(prediction) + positives))


def precision(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """TP / (TP + FP), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.
        missed: decides only whether there is a lesion.

    Returns:
        NaN for an empty prediction, which has nothing to be right or wrong about; NaN without lesion, where
        alarms are counted instead.

    Example:
        >>> precision(np.array([True, True, False]), np.array([False, True, True]))
        0.5
    """
    _check_masks(prediction, lesion)
    predicted = np.count_nonzero(prediction)
    if not predicted or not np.count_nonzero(lesion) + missed:
        return np.nan
    return float(np.count_nonzero(prediction & lesion) / predicted)


def recall(prediction: Mask, lesion: Mask, *, missed: float = 0) -> float:
    """TP / (TP + FN), in [0, 1].

    Args:
        prediction, lesion: equal shapes, any.

    Returns:
        0 for an empty prediction of a lesion; NaN without lesion.

    Example:
        >>> recall(np.array([True, False, False]), np.array([True, True, False]), missed=2)
        0.25
    """
    _check_masks(prediction, lesion)
    positives = np.count_nonzero(lesion) + missed
    if not positives:
        return np.nan
    return float(np.count_nonzero(prediction & lesion) / positives)


def average_precision(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """Step-wise area under the precision-recall curve: sum over k of (R_k - R_(k-1)) P_k, in [0, 1].

    k runs down the distinct scores: equal scores form one step, no trapezoid. Voxels of score 0 are ranked
    last like any other equal scores. Missed voxels are never retrieved, so recall stays below 1.

    Args:
        scores, lesion: equal shapes, any.

    Returns:
        NaN without lesion.

    Raises:
        ValueError: a score is NaN.

    Example:
        >>> average_precision(np.array([0.9, 0.5, 0.5, 0.5]), np.array([True, True, False, False]))
        0.75
    """
    positives, negatives = ranked(scores, lesion)
    if not positives.size + missed:
        return np.nan
    retrieved = positives.size - np.searchsorted(positives, positives, side="left")
    false = negatives.size - np.searchsorted(negatives, positives, side="left")
    return float(np.sum(retrieved / (retrieved + false)) / (positives.size + missed))


def auroc(scores: Scores, lesion: Mask, *, missed: float = 0) -> float:
    """P(lesion voxel scores above a healthy one) + P(equal) / 2, in [0, 1].

    Missed voxels rank below every healthy voxel.

    Args:
        scores, lesion: equal shapes, any.

    Returns:
        NaN without lesion or without healthy voxel.

    Raises:
        ValueError: a score is NaN.

    Example:
        >>> auroc(np.array([0.9, 0.5, 0.5, 0.0]), np.array([True, True, False, False]))
        0.875
    """
    positives, negatives = ranked(scores, lesion)
    pairs = (positives.size + missed) * negatives.size
    if not pairs:
        return np.nan
    below = np.searchsorted(negatives, positives, side="left").sum()
    not_above = np.searchsorted(negatives, positives, side="right").sum()
    return float((below + not_above) / 2 / pairs)


def lift(ap: float, prevalence: float) -> float:
    """(AP - p) / (1 - p): 0 for a random ranking, 1 for a perfect one, whatever the prevalence.

    Args:
        ap: average precision.
        prevalence: fraction of the ranked voxels that are lesion, in [0, 1].

    Returns:
        NaN where `ap` is, and where every voxel is lesion.

    Example:
        >>> lift(0.75, 0.5)
        0.5
    """
    return (ap - prevalence) / (1 - prevalence) if prevalence < 1 else np.nan


def l1(image: Scores, reconstruction: Scores, mask: Mask) -> float:
    """Mean |image - reconstruction| over the voxels of `mask`, at least 0.

    Args:
        image, reconstruction, mask: equal shapes, any.

    Returns:
        NaN for an empty mask.

    Example:
        >>> l1(np.array([1.0, 0.5, 0.0]), np.array([0.5, 0.5, 1.0]), np.array([True, True, False]))
        0.25
    """
    if not mask.any():
        return np.nan
    return float(np.abs(image[mask].astype(np.float64) - reconstruction[mask]).mean())


def l1_ratio(image: Scores, reconstruction: Scores, lesion: Mask, brain: Mask, spacing: Sequence[float]) -> float:
    """l1 over the brain's lesion / l1 over the brain more than 10 mm from it; above 1 for a useful residual.

    Args:
        image, reconstruction, lesion, brain: `(X, Y, Z)`.
        spacing: voxel edges in mm.

    Returns:
        NaN without lesion, without healthy rest, and where the rest is reconstructed without any error.

    Example:
        >>> image, lesion = np.full((9, 1, 1), 0.25), np.arange(9).reshape(9, 1, 1) == 0
        >>> image[0] = 1.0
        >>> l1_ratio(image, np.zeros_like(image), lesion, np.ones_like(lesion), (2.0, 2.0, 2.0))
        4.0
    """
    rest = l1(image, reconstruction, far_from_lesion(lesion, brain, spacing))
    return l1(image, reconstruction, lesion & brain) / rest if rest else np.nan


def far_from_lesion(lesion: Mask, brain: Mask, spacing: Sequence[float], *, collar_mm: float = 10.0) -> Mask:
    """The brain more than `collar_mm` from the nearest lesion voxel, centre to centre.

    Args:
        lesion, brain: `(X, Y, Z)`.
        spacing: voxel edges in mm.

    Returns:
        `(X, Y, Z)`; the whole brain without lesion.

    Example:
        >>> lesion = np.arange(9).reshape(9, 1, 1) == 0
        >>> far_from_lesion(lesion, np.ones_like(lesion), (2.0, 2.0, 2.0)).ravel().nonzero()[0].tolist()
        [6, 7, 8]
    """
    if not lesion.any():
        return brain.copy()
    distance = ndimage.distance_transform_edt(~lesion, sampling=spacing)
    return np.asarray(brain & (distance > collar_mm))


def alarms(prediction: Mask) -> int:
    """Number of 26-connected components of a prediction `(X, Y, Z)`.

    Example:
        >>> alarms(np.eye(3, dtype=bool)[None])
        1
    """
    _, count = ndimage.label(prediction, structure=np.ones((3, 3, 3), dtype=bool))
    return int(count)


def alarm_fraction(prediction: Mask, brain: Mask) -> float:
    """Predicted part of the voxels of `brain`, in [0, 1]; NaN for an empty brain.

    Args:
        prediction, brain: equal shapes, any; `brain` may be a part of it, such as `far_from_lesion`.

    Example:
        >>> alarm_fraction(np.array([True, True, False]), np.array([False, True, True]))
        0.5
    """
    return float(prediction[brain].mean()) if brain.any() else np.nan


def ranked(scores: Scores, lesion: Mask) -> tuple[Scores, Scores]:
    """Scores of the lesion and of all other voxels, each `(V,)` and ascending.

    Raises:
        ValueError: a score is NaN.
    """
    _check_masks(scores, lesion)
    positives, negatives = np.sort(scores[lesion]), np.sort(scores[~lesion])
    for part in (positives, negatives):
        if part.size and np.isnan(part[-1]):  # NaN sorts last
            raise ValueError("Got a score that is NaN, wanted finite scores.")
    return positives, negatives


def _check_masks(prediction: NDArray[np.generic], lesion: Mask) -> None:
    if prediction.shape != lesion.shape:
        raise ValueError(f"Got shape {prediction.shape}, wanted {lesion.shape} as of the lesion mask.")
    if lesion.dtype != np.bool_:
        raise ValueError(f"Got a lesion mask of {lesion.dtype}, wanted bool.")

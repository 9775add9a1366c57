"""METRICS: the names, units and directions of everything that is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


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
        Metric("oracle_dice", "Oracle Dice", "", True, "case", "best Dice of a case over all thresholds, whole chain"),
        Metric("regret", "Regret", "", False, "case", "Dice at the cross-fitted oracle's threshold - Dice"),
        Metric("auprc", "AUPRC", "", True, "case", "step-wise average precision over brain voxels"),
        Metric("auprc_box", "AUPRC (box)", "", True, "case", "the same over all voxels of the grid's box"),
        Metric("auprc_pooled", "AUPRC (pooled)", "", True, "cohort", "the same over all cases' brain voxels"),
        Metric("auprc_lift", "AUPRC lift", "", True, "case", "(AP - p) / (1 - p) at lesion prevalence p"),
        Metric("auroc", "AUROC", "", True, "case", "chance that a lesion voxel outranks a healthy one"),
        Metric("hd95", "HD95", "mm", False, "case", "95 % Hausdorff distance; nothing predicted: the brain's diameter"),
        Metric("surface_dice", "Surface Dice", "", True, "case", "part of both surfaces within one voxel of the other"),
        Metric("lesion_recall", "Lesion recall", "", True, "case", "part of the lesions found, by overlap-10"),
        Metric(
            "lesion_precision", "Lesion precision", "", True, "case", "true part of the alarms; no alarm: undefined"
        ),
        Metric("lesion_f1", "Lesion F1", "", True, "case", "harmonic mean of both; nothing found: 0"),
        Metric("false_alarms", "False alarms", "", False, "case", "a lesion case's alarms with under 10 % lesion"),
        Metric("froc", "FROC", "", True, "cohort", "mean lesion recall at 1/4, 1/2, 1, 2, 4, 8 false alarms a scan"),
        Metric("froc_at_1", "Lesion recall at 1", "", True, "cohort", "lesion recall at one false alarm a scan"),
        Metric("l1", "l1", "", False, "case", "mean |image - reconstruction| over the brain"),
        Metric("l1_ratio", "l1 ratio", "", True, "case", "l1 over the lesion / l1 more than 10 mm from it"),
        Metric("ssim", "SSIM", "", True, "case", "structural similarity of axial slices, mean over the brain"),
        Metric("psnr", "PSNR", "dB", True, "case", "10 log10(1 / MSE) over the brain; at most 96.3"),
        Metric("wasserstein_1", "Wasserstein-1", "", False, "case", "of the intensities of healthy voxels"),
        Metric("histogram_js", "JS divergence", "nats", False, "case", "of both histograms of healthy voxels"),
        Metric("histogram_kl", "KL divergence", "nats", False, "case", "KL(image || reconstruction), healthy voxels"),
        Metric(
            "histogram_entropy_difference",
            "Entropy difference",
            "nats",
            None,
            "case",
            "sum of p log p - q log q, the published formula; no divergence",
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
        Metric("seconds", "Time", "s", False, "case", "wall-clock seconds to make one anomaly map"),
        Metric("peak_bytes", "Peak memory", "bytes", False, "cohort", "most device memory held at once"),
    )
}

TIMED = ("seconds", "peak_bytes")  # in timing.csv, since they never repeat exactly
SCORED = tuple(name for name in METRICS if name not in TIMED)

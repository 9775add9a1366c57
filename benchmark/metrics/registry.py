"""METRICS: the names, units, directions and rules of everything that is measured."""

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
        over: the voxels, or what else is counted, on the study's grid.
        undefined: when the value is NaN.
    """

    name: str
    title: str
    unit: str
    higher_is_better: bool | None
    per: Literal["case", "cohort"]
    what: str
    over: str
    undefined: str = "never"


BRAIN = "brain voxels in the box"
BEYOND = f"{BRAIN}; lesion outside the box or the brain mask is missed"
COMPONENTS = "26-connected components in the box"
LESION_CASES = "no lesion"

_DECISIONS = (
    Metric("dice", "Dice", "", True, "case", "2 TP / (2 TP + FP + FN)", BEYOND, LESION_CASES),
    Metric("precision", "Precision", "", True, "case", "TP / (TP + FP)", BRAIN, "nothing predicted, or no lesion"),
    Metric("recall", "Recall", "", True, "case", "TP / (TP + FN)", BEYOND, LESION_CASES),
    Metric(
        "oracle_dice", "Oracle Dice", "", True, "case", "best Dice of a case over all thresholds, whole chain",
        BEYOND, LESION_CASES,
    ),
    Metric(
        "regret", "Regret", "", False, "case", "Dice at the cross-fitted oracle's threshold - Dice",
        BEYOND, "oracle-cross not asked for, or fewer than two test patients with lesions",
    ),
    Metric(
        "hd95", "HD95", "mm", False, "case", "95 % Hausdorff distance; nothing predicted: the brain's diameter",
        "surface voxels in the box", "no lesion voxel in the box",
    ),
    Metric(
        "surface_dice", "Surface Dice", "", True, "case", "part of both surfaces within one voxel of the other",
        "surface voxels in the box", "no lesion voxel in the box",
    ),
)  # fmt: skip
_LESIONS = (
    Metric(
        "lesion_recall", "Lesion recall", "", True, "case", "part of the lesions found, by overlap-10",
        COMPONENTS, "no lesion voxel in the box",
    ),
    Metric(
        "lesion_precision", "Lesion precision", "", True, "case", "true part of the alarms, by overlap-10",
        COMPONENTS, "no alarm, or no lesion voxel in the box",
    ),
    Metric(
        "lesion_f1", "Lesion F1", "", True, "case", "harmonic mean of both; nothing found: 0",
        COMPONENTS, "no lesion voxel in the box",
    ),
    Metric(
        "false_alarms", "False alarms", "", False, "case", "a lesion case's alarms with under 10 % lesion",
        COMPONENTS, LESION_CASES,
    ),
    Metric(
        "froc", "FROC", "", True, "cohort",
        "mean lesion recall at 1/4, 1/2, 1, 2, 4, 8 false alarms a scan, of 20 thresholds",
        "a split's lesion cases", "no lesion voxel in any box",
    ),
    Metric(
        "froc_at_1", "Lesion recall at 1", "", True, "cohort",
        "lesion recall at one false alarm a scan, of 20 thresholds",
        "a split's lesion cases", "no lesion voxel in any box",
    ),
    Metric(
        "found", "Found", "", True, "case", "1 if any voxel of an implanted lesion is alarmed, else 0",
        BRAIN, "no voxel of it on the grid",
    ),
    Metric(
        "found_tenth", "Found to a tenth", "", True, "case",
        "1 if a tenth of an implanted lesion's voxels is alarmed, else 0", BRAIN, "no voxel of it on the grid",
    ),
)  # fmt: skip
_RANKING = (
    Metric("auprc", "AUPRC", "", True, "case", "step-wise average precision", BEYOND, LESION_CASES),
    Metric(
        "auprc_box", "AUPRC (box)", "", True, "case", "the same with the background, as published",
        "all voxels of the box; lesion outside it is missed", LESION_CASES,
    ),
    Metric(
        "auprc_pooled", "AUPRC (pooled)", "", True, "cohort", "the same over all lesion cases of a split together",
        BEYOND, LESION_CASES,
    ),
    Metric(
        "auprc_lift", "AUPRC lift", "", True, "case", "(AP - p) / (1 - p) at lesion prevalence p", BEYOND, LESION_CASES
    ),
    Metric(
        "auroc", "AUROC", "", True, "case", "chance that a lesion voxel outranks a healthy one; equal: half",
        BEYOND, "no lesion, or no healthy voxel",
    ),
)  # fmt: skip
_EMPTY = "brain of no voxel"
_HEALTHY = "brain voxels in the box but the lesion's"
_RECONSTRUCTION = (
    Metric("l1", "l1", "", False, "case", "mean |image - reconstruction|", BRAIN, _EMPTY),
    Metric(
        "l1_ratio", "l1 ratio", "", True, "case", "l1 over the lesion / l1 more than 10 mm from it",
        BRAIN, "no lesion in the brain, nothing that far from it, or no error there",
    ),
    Metric("ssim", "SSIM", "", True, "case", "mean structural similarity of axial slices", BRAIN, _EMPTY),
    Metric("psnr", "PSNR", "dB", True, "case", "10 log10(1 / MSE); at most 96.3", BRAIN, _EMPTY),
    Metric(
        "wasserstein_1", "Wasserstein-1", "", False, "case", "mean |difference| of the sorted intensities",
        _HEALTHY, "no such voxel",
    ),
    Metric(
        "histogram_js", "JS divergence", "nats", False, "case", "mean KL of both histograms to their mean",
        _HEALTHY, "no such voxel",
    ),
    Metric(
        "histogram_kl", "KL divergence", "nats", False, "case", "KL(image || reconstruction): sum of p log(p / q)",
        _HEALTHY, "no such voxel",
    ),
    Metric(
        "histogram_entropy_difference", "Entropy difference", "nats", None, "case",
        "sum of p log p - q log q, the published formula; no divergence", _HEALTHY, "no such voxel",
    ),
    Metric(
        "restoration_l1", "Restoration error", "", False, "case", "mean |healthy scan - reconstruction|",
        "implanted lesion's brain voxels", "no such voxel",
    ),
    Metric(
        "restoration_l1_outside", "Restoration error outside", "", False, "case",
        "mean |healthy scan - reconstruction|", "brain voxels outside the implanted lesion", "no such voxel",
    ),
    Metric(
        "lesion_l1", "Change by the lesion", "", None, "case",
        "mean |healthy scan - image|: the restoration error of a copy", "implanted lesion's brain voxels",
        "no such voxel",
    ),
)  # fmt: skip
_ALARMS = (
    Metric("alarm", "Any alarm", "", False, "case", "1 if a healthy case has any alarm, else 0", BRAIN),
    Metric("alarms", "Alarms", "", False, "case", "number of a healthy case's alarms", COMPONENTS),
    Metric("alarm_ml", "Alarm volume", "ml", False, "case", "volume of a healthy case's alarms", BRAIN),
    Metric("alarm_fraction", "Alarm fraction", "", False, "case", "alarmed part of a healthy brain", BRAIN, _EMPTY),
    Metric(
        "alarm_fraction_far", "Alarm fraction far from the lesion", "", False, "case",
        "alarmed part of a lesion case's brain", "brain voxels in the box more than 10 mm from the lesion",
        "no such voxel",
    ),
)  # fmt: skip
_FACTS = (
    Metric(
        "threshold", "Threshold", "", None, "cohort", "scores above it are alarms", "what the protocol looks at",
        "the cohort has nothing that the protocol may look at, or too little",
    ),
    Metric(
        "lesion_ml", "Lesion volume", "ml", None, "case", "true lesion, inside and outside the box",
        "in the box on the grid, outside on the scan's own",
    ),
    Metric(
        "lesion_outside_grid_ml", "Lesion cut off", "ml", None, "case", "true lesion outside the box", "scan's own grid"
    ),
    Metric("shift_dose", "Dose", "", None, "case", "mean |shifted - unshifted image|", _HEALTHY, "no such voxel"),
)  # fmt: skip
_COST = (
    Metric("seconds", "Time", "s", False, "case", "wall-clock seconds to make one anomaly map", "one scan"),
    Metric("peak_bytes", "Peak memory", "bytes", False, "cohort", "most device memory held at once", "one cell"),
)

METRICS: Mapping[str, Metric] = {
    metric.name: metric for metric in (*_DECISIONS, *_LESIONS, *_RANKING, *_RECONSTRUCTION, *_ALARMS, *_FACTS, *_COST)
}

SCORED = tuple(name for name in METRICS if METRICS[name] not in _COST)
"""Those in rows.csv; the others are in timing.csv, since they never repeat exactly."""
ALWAYS = ("threshold", "lesion_ml", "lesion_outside_grid_ml", "shift_dose")
"""Facts that rows are read by, whatever else is asked for."""

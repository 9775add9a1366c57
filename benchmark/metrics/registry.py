"""METRICS: the names, functions, units, directions and rules of everything that is measured."""

from math import inf, log, nan

import numpy as np

from benchmark.metrics import image_similarity as similarity
from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.lesionwise import ALLOWED, FrocCurve
from benchmark.metrics.metric import POSITIVE, Decision, Metric, Pool, RankedMap, Reconstruction, check_metric
from benchmark.metrics.overlap import dice_of, precision_of, recall_of
from benchmark.metrics.ranking import ap_of, auroc_of, lift, quantile_of
from benchmark.metrics.surface_distance import hd95_of, surface_dice_of
from datasets.registry import Registry

BRAIN = "brain voxels in the box"
BEYOND = f"{BRAIN}; lesion that none of them shows is missed"
COMPONENTS = "26-connected components in the box"
SURFACES = "surface voxels in the box"
NO_LESION = "no lesion"
OUTSIDE = "no lesion voxel in the box"
ALL_CUT_OFF = "no lesion but outside the box"
SIGNED = (-inf, inf)


def _dice(case: Decision) -> float:
    """2 TP / (2 TP + FP + FN)"""
    return dice_of(*case.counts)


def _precision(case: Decision) -> float:
    """TP / (TP + FP)"""
    return precision_of(*case.counts)


def _recall(case: Decision) -> float:
    """TP / (TP + FN)"""
    return recall_of(*case.counts)


def _oracle_dice(case: RankedMap) -> float:
    """best Dice of a case over all thresholds, through the whole pipeline"""
    return case.best[0]


def _hd95(case: Decision) -> float:
    """95 % Hausdorff distance; nothing predicted: the brain's diameter"""
    truth = case.truth
    if not truth.mask.any():
        return nan
    if not case.prediction.voxels.size:
        return truth.diameter
    return hd95_of(*case.distances)


def _surface_dice(case: Decision) -> float:
    """part of both surfaces within one voxel of the other"""
    truth = case.truth
    if not truth.mask.any():
        return nan
    return surface_dice_of(*case.distances, tolerance=max(truth.spacing)) if case.prediction.voxels.size else 0.0


_OVERLAP = (
    Metric("dice", "Dice", _dice, "prediction", True, BEYOND, "labelled", NO_LESION),
    Metric(
        "precision", "Precision", _precision, "prediction", True, BRAIN, "labelled", "nothing predicted, or no lesion"
    ),
    Metric("recall", "Recall", _recall, "prediction", True, BEYOND, "labelled", NO_LESION),
    Metric("oracle_dice", "Oracle Dice", _oracle_dice, "ranking", True, BEYOND, "labelled", NO_LESION),
    Metric(
        "regret", "Regret", None, "run", False, BEYOND, "labelled",
        "oracle-cross is not among the protocols, or fewer than two test patients with lesions",
        range=(-1.0, 1.0), definition="Dice at the cross-fitted oracle's threshold - Dice",
    ),
    Metric("hd95", "HD95", _hd95, "prediction", False, SURFACES, "lesion", OUTSIDE, "mm", POSITIVE),
    Metric("surface_dice", "Surface Dice", _surface_dice, "prediction", True, SURFACES, "lesion", OUTSIDE),
)  # fmt: skip


def _lesion_recall(case: Decision) -> float:
    """part of the lesions found, by overlap-10"""
    return case.matches.recall


def _lesion_precision(case: Decision) -> float:
    """true part of the predicted components, by overlap-10"""
    return case.matches.precision


def _lesion_f1(case: Decision) -> float:
    """harmonic mean of both; nothing found: 0"""
    return case.matches.f1


def _lesion_recall_bounded(case: Decision) -> float:
    """part of the lesions found, by overlap-10-30"""
    return case.bounded_matches.recall


def _lesion_f1_bounded(case: Decision) -> float:
    """harmonic mean of lesion recall and precision, both by overlap-10-30; nothing found: 0"""
    return case.bounded_matches.f1


def _false_alarms(case: Decision) -> float:
    """a lesion case's predicted components with under 10 % lesion"""
    return float(case.matches.false_positives)


def _froc(curve: FrocCurve) -> float:
    """mean lesion recall at 1/4, 1/2, 1, 2, 4, 8 false positives a scan, of 20 thresholds"""
    return float(np.mean([curve.at(allowed) for allowed in ALLOWED]))


def _froc_at_1(curve: FrocCurve) -> float:
    """lesion recall at one false positive a scan, of 20 thresholds"""
    return curve.at(1)


def _found(case: Decision) -> float:
    """1 if any voxel of an implanted lesion is predicted, else 0"""
    return _covered(case, share=0.0)


def _found_tenth(case: Decision) -> float:
    """1 if a tenth of an implanted lesion's voxels is predicted, else 0"""
    return _covered(case, share=0.1)


def _covered(case: Decision, *, share: float) -> float:
    """Whether at least one voxel of the brain's lesion is predicted, and at least that share of them."""
    size = np.count_nonzero(case.truth.lesion)
    return float(case.counts[0] >= max(1, share * size)) if size or case.truth.lost_ml else nan


_COHORT, _NOWHERE = "a split's lesion cases", f"{ALL_CUT_OFF} in any case"
_OFF_GRID = "no voxel of it on the grid, but for one too small for it"
_LESIONS = (
    Metric("lesion_recall", "Lesion recall", _lesion_recall, "prediction", True, COMPONENTS, "lesion", ALL_CUT_OFF),
    Metric(
        "lesion_precision", "Lesion precision", _lesion_precision, "prediction", True, COMPONENTS, "lesion",
        f"nothing predicted, or {ALL_CUT_OFF}",
    ),
    Metric("lesion_f1", "Lesion F1", _lesion_f1, "prediction", True, COMPONENTS, "lesion", ALL_CUT_OFF),
    Metric(
        "lesion_recall_bounded", "Lesion recall, bounded", _lesion_recall_bounded, "prediction", True, COMPONENTS,
        "lesion", ALL_CUT_OFF,
    ),
    Metric(
        "lesion_f1_bounded", "Lesion F1, bounded", _lesion_f1_bounded, "prediction", True, COMPONENTS, "lesion",
        ALL_CUT_OFF,
    ),
    Metric(
        "false_alarms", "False alarms", _false_alarms, "prediction", False, COMPONENTS, "lesion", NO_LESION,
        range=POSITIVE,
    ),
    Metric("froc", "FROC", _froc, "curve", True, _COHORT, "all", _NOWHERE, per="cohort"),
    Metric("froc_at_1", "Lesion recall at 1", _froc_at_1, "curve", True, _COHORT, "all", _NOWHERE, per="cohort"),
    Metric("found", "Found", _found, "prediction", True, BRAIN, "implanted", _OFF_GRID),
    Metric("found_tenth", "Found to a tenth", _found_tenth, "prediction", True, BRAIN, "implanted", _OFF_GRID),
)  # fmt: skip


def _auprc(case: RankedMap) -> float:
    """step-wise average precision"""
    return case.average_precision


def _auprc_box(case: RankedMap) -> float:
    """the same with the background, as published"""
    return ap_of(case.box)


def _auprc_pooled(pool: Pool) -> float:
    """the same over all lesion cases of a split together"""
    return pool.average_precision


def _auprc_lift(case: RankedMap) -> float:
    """(AP - p) / (1 - p) at lesion prevalence p"""
    return lift(case.average_precision, case.filtered.prevalence)


def _auroc(case: RankedMap) -> float:
    """chance that a lesion voxel outranks a healthy one; equal: half"""
    return auroc_of(case.filtered)


_RANKING = (
    Metric("auprc", "AUPRC", _auprc, "ranking", True, BEYOND, "labelled", NO_LESION),
    Metric(
        "auprc_box", "AUPRC (box)", _auprc_box, "ranking", True,
        "all voxels of the box; lesion that none of them shows is missed", "labelled", NO_LESION,
    ),
    Metric("auprc_pooled", "AUPRC (pooled)", _auprc_pooled, "pool", True, BEYOND, "all", NO_LESION, per="cohort"),
    Metric(
        "auprc_lift", "AUPRC lift", _auprc_lift, "ranking", True, BEYOND, "labelled", NO_LESION, range=(-inf, 1.0)
    ),
    Metric("auroc", "AUROC", _auroc, "ranking", True, BEYOND, "labelled", "no lesion, or no healthy voxel"),
)  # fmt: skip


def _l1(case: Reconstruction) -> float:
    """mean |image - reconstruction|"""
    return similarity.l1(case.image, case.reconstruction, case.brain)


def _l1_ratio(case: Reconstruction) -> float:
    """l1 over the lesion / l1 more than 10 mm from it"""
    return similarity.l1_ratio(case.image, case.reconstruction, case.lesion, case.brain, case.spacing)


def _ssim(case: Reconstruction) -> float:
    """mean structural similarity of axial slices"""
    return similarity.ssim(case.image, case.reconstruction, case.brain)


def _psnr(case: Reconstruction) -> float:
    """10 log10(1 / MSE); at most 96.3"""
    return similarity.psnr(case.image, case.reconstruction, case.brain)


def _l1_box(case: Reconstruction) -> float:
    """l1 with the background, as published"""
    return similarity.l1(case.image, case.reconstruction, case.box)


def _l1_ratio_box(case: Reconstruction) -> float:
    """l1 over the lesion / l1 over the rest of the box, as published"""
    rest = similarity.l1(case.image, case.reconstruction, case.box & ~case.lesion)
    return similarity.l1(case.image, case.reconstruction, case.lesion) / rest if rest else nan


def _ssim_box(case: Reconstruction) -> float:
    """mean structural similarity of whole axial slices, as published"""
    return similarity.ssim(case.image, case.reconstruction, case.box)


def _psnr_box(case: Reconstruction) -> float:
    """PSNR with the background, as published"""
    return similarity.psnr(case.image, case.reconstruction, case.box)


def _wasserstein_1(case: Reconstruction) -> float:
    """mean |difference| of the sorted intensities"""
    return similarity.wasserstein_1(case.image, case.reconstruction, case.healthy)


def _histogram_js(case: Reconstruction) -> float:
    """mean KL of both histograms to their mean"""
    return similarity.histogram_js(case.image, case.reconstruction, case.healthy)


def _histogram_kl(case: Reconstruction) -> float:
    """KL(image || reconstruction): sum of p log(p / q)"""
    return similarity.histogram_kl(case.image, case.reconstruction, case.healthy)


def _histogram_entropy_difference(case: Reconstruction) -> float:
    """sum of p log p - q log q, the published formula; no divergence"""
    return similarity.histogram_entropy_difference(case.image, case.reconstruction, case.healthy)


def _restoration_l1(case: Reconstruction) -> float:
    """mean |healthy scan - reconstruction|"""
    return similarity.l1(case.host, case.reconstruction, case.inside)


def _restoration_l1_outside(case: Reconstruction) -> float:
    """mean |healthy scan - reconstruction|"""
    return similarity.l1(case.host, case.reconstruction, case.healthy)


def _lesion_l1(case: Reconstruction) -> float:
    """mean |healthy scan - image|: the restoration error of a copy"""
    return similarity.l1(case.host, case.image, case.inside)


_EMPTY = "brain of no voxel"
_HEALTHY = "brain voxels in the box but the lesion's"
_NO_VOXEL = "no such voxel"
_IMPLANT = "implanted lesion's brain voxels"
_RECONSTRUCTION = (
    Metric("l1", "l1", _l1, "reconstruction", False, BRAIN, "all", _EMPTY),
    Metric(
        "l1_ratio", "l1 ratio", _l1_ratio, "reconstruction", True, BRAIN, "labelled",
        "no lesion in the brain, nothing that far from it, or no error there", range=POSITIVE,
    ),
    Metric("ssim", "SSIM", _ssim, "reconstruction", True, BRAIN, "all", _EMPTY, range=(-1.0, 1.0)),
    Metric("psnr", "PSNR", _psnr, "reconstruction", True, BRAIN, "all", _EMPTY, "dB", (-inf, 96.33)),
    Metric("wasserstein_1", "Wasserstein-1", _wasserstein_1, "reconstruction", False, _HEALTHY, "all", _NO_VOXEL),
    Metric(
        "histogram_js", "JS divergence", _histogram_js, "reconstruction", False, _HEALTHY, "all", _NO_VOXEL, "nats",
        (0.0, log(2)),
    ),
    Metric(
        "histogram_kl", "KL divergence", _histogram_kl, "reconstruction", False, _HEALTHY, "all", _NO_VOXEL, "nats",
        POSITIVE,
    ),
    Metric(
        "histogram_entropy_difference", "Entropy difference", _histogram_entropy_difference, "reconstruction", None,
        _HEALTHY, "all", _NO_VOXEL, "nats", SIGNED,
    ),
    Metric(
        "restoration_l1", "Restoration error", _restoration_l1, "reconstruction", False, _IMPLANT, "implanted",
        _NO_VOXEL,
    ),
    Metric(
        "restoration_l1_outside", "Restoration error outside", _restoration_l1_outside, "reconstruction", False,
        "brain voxels outside the implanted lesion", "implanted", _NO_VOXEL,
    ),
    Metric("lesion_l1", "Change by the lesion", _lesion_l1, "reconstruction", None, _IMPLANT, "implanted", _NO_VOXEL),
)  # fmt: skip


def _alarm(case: Decision) -> float:
    """1 if a healthy case has any false positive, else 0"""
    return float(case.prediction.voxels.size > 0)


def _alarms(case: Decision) -> float:
    """number of a healthy case's false-positive components"""
    return float(case.prediction.components.count)


def _alarm_ml(case: Decision) -> float:
    """volume of a healthy case's false positives"""
    return float(case.prediction.voxels.size) * case.truth.voxel_ml


def _alarm_fraction(case: Decision) -> float:
    """predicted part of a healthy brain"""
    return _share(case.prediction.voxels.size, case.truth.lesion.size)


def _alarm_fraction_far(case: Decision) -> float:
    """predicted part of a lesion case's brain"""
    return _share(int(np.count_nonzero(case.truth.far[case.prediction.voxels])), case.truth.far_voxels)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else nan


_BOX = "all voxels of the box"
_PUBLISHED = (
    Metric("l1_box", "l1 (box)", _l1_box, "reconstruction", False, _BOX, "all"),
    Metric(
        "l1_ratio_box", "l1 ratio (box)", _l1_ratio_box, "reconstruction", True, _BOX, "labelled",
        "no lesion in the box, or no error elsewhere", range=POSITIVE,
    ),
    Metric("ssim_box", "SSIM (box)", _ssim_box, "reconstruction", True, _BOX, "all", range=(-1.0, 1.0)),
    Metric("psnr_box", "PSNR (box)", _psnr_box, "reconstruction", True, _BOX, "all", unit="dB", range=(-inf, 96.33)),
)  # fmt: skip
_FALSE_POSITIVES = (
    Metric("alarm", "Any alarm", _alarm, "prediction", False, BRAIN, "healthy"),
    Metric("alarms", "Alarms", _alarms, "prediction", False, COMPONENTS, "healthy", range=POSITIVE),
    Metric("alarm_ml", "Alarm volume", _alarm_ml, "prediction", False, BRAIN, "healthy", unit="ml", range=POSITIVE),
    Metric("alarm_fraction", "Alarm fraction", _alarm_fraction, "prediction", False, BRAIN, "healthy", _EMPTY),
    Metric(
        "alarm_fraction_far", "Alarm fraction far from the lesion", _alarm_fraction_far, "prediction", False,
        "brain voxels in the box more than 10 mm from the lesion", "lesion", _NO_VOXEL,
    ),
)  # fmt: skip


def _lesion_ml(truth: GroundTruth) -> float:
    """true lesion, inside and outside the box"""
    return truth.positives * truth.voxel_ml


def _lesion_outside_grid_ml(truth: GroundTruth) -> float:
    """true lesion outside the box"""
    return truth.cut_off * truth.voxel_ml


def _lesion_lost_ml(truth: GroundTruth) -> float:
    """true lesions inside the box that leave no voxel on the grid"""
    return float(sum(truth.lost_ml))


def _score_p99(case: RankedMap) -> float:
    """99th percentile of the post-processed map in the brain, before small components go"""
    return quantile_of(case.filtered, 0.99)


def _flagged_ml(case: Decision) -> float:
    """volume of all that is predicted"""
    return float(case.prediction.voxels.size) * case.truth.voxel_ml


_PATIENT_SCORES = (
    Metric(
        "score_p99", "99th percentile", _score_p99, "ranking", None, BRAIN, "all", _EMPTY, range=POSITIVE,
        patient_score=True,
    ),
    Metric(
        "flagged_ml", "Flagged volume", _flagged_ml, "prediction", None, BRAIN, "all", unit="ml", range=POSITIVE,
        patient_score=True,
    ),
)  # fmt: skip
_FACTS = (
    Metric(
        "threshold", "Threshold", None, "run", None, "what the protocol looks at", "all",
        "the cohort has nothing that the protocol may look at, or too little",
        range=POSITIVE, per="cohort", definition="scores above it are predicted",
    ),
    Metric(
        "lesion_ml", "Lesion volume", _lesion_ml, "ground truth", None,
        "on the grid; cut off or lost on the scan's own", "labelled", unit="ml", range=POSITIVE,
    ),
    Metric(
        "lesion_outside_grid_ml", "Lesion cut off", _lesion_outside_grid_ml, "ground truth", None, "scan's own grid",
        "labelled", unit="ml", range=POSITIVE,
    ),
    Metric(
        "lesion_lost_ml", "Lesion lost", _lesion_lost_ml, "ground truth", None, "scan's own grid", "labelled",
        unit="ml", range=POSITIVE,
    ),
    Metric(
        "shift_dose", "Dose", None, "run", None, _HEALTHY, "all", _NO_VOXEL,
        definition="mean |shifted - unshifted image|",
    ),
)  # fmt: skip
_COST = (
    Metric(
        "seconds", "Time", None, "run", False, "one scan", unit="s", range=POSITIVE,
        definition="wall-clock seconds to make one anomaly map",
    ),
    Metric(
        "peak_bytes", "Peak memory", None, "run", False, "one cell", unit="bytes", range=POSITIVE, per="cohort",
        definition="most device memory held at once",
    ),
)  # fmt: skip


METRICS = Registry(
    "metric",
    "uadbench.metrics",
    Metric,
    {
        metric.name: metric
        for metric in (
            *_OVERLAP,
            *_LESIONS,
            *_RANKING,
            *_RECONSTRUCTION,
            *_PUBLISHED,
            *_FALSE_POSITIVES,
            *_PATIENT_SCORES,
            *_FACTS,
            *_COST,
        )
    },
    check=check_metric,
)
COST = tuple(metric.name for metric in _COST)
"""Those in timing.csv, since they never repeat exactly; all others are in rows.csv."""
ALWAYS = tuple(metric.name for metric in _FACTS)
"""Facts by which rows are read: scored whatever metrics are named."""


AS_PUBLISHED = tuple(metric.name for metric in _PUBLISHED)
"""Twins of other metrics as a study has published them, the background included: scored where they are named."""


def scored() -> tuple[str, ...]:
    """The metrics of rows.csv where none is named: all that are built in, and those of plugins that can be used.

    Examples:
        >>> "dice" in scored()
        True
    """
    return tuple(name for name in METRICS.usable() if name not in (*COST, *AS_PUBLISHED))

"""What is measured: one pure function a number, and METRICS, the registry of their names, units and directions.

Voxel arrays hold either a brain's voxels or a whole box; both masks of a call hold the same ones. `missed`
counts lesion voxels (a fraction where the scan is finer than the grid) that no array holds because they lie
outside the grid's box: they can only be false negatives. All results are float64.

What the author of a metric needs is here: `from benchmark.metrics import POSITIVE, Decision, Metric`.
"""

from benchmark.metrics.ground_truth import GroundTruth
from benchmark.metrics.image_similarity import (
    histogram_entropy_difference,
    histogram_js,
    histogram_kl,
    l1,
    l1_ratio,
    psnr,
    ssim,
    wasserstein_1,
)
from benchmark.metrics.lesionwise import FrocCurve, froc_point, match_lesions
from benchmark.metrics.masks import Mask, Scores, far_from_lesion
from benchmark.metrics.metric import POSITIVE, Decision, Metric, Pool, RankedMap, Reconstruction
from benchmark.metrics.overlap import dice, precision, recall
from benchmark.metrics.ranking import auroc, average_precision, lift
from benchmark.metrics.registry import ALWAYS, COST, METRICS, scored
from benchmark.metrics.surface_distance import hd95, surface_dice

__all__ = [
    "ALWAYS",
    "COST",
    "METRICS",
    "POSITIVE",
    "Decision",
    "FrocCurve",
    "GroundTruth",
    "Mask",
    "Metric",
    "Pool",
    "RankedMap",
    "Reconstruction",
    "Scores",
    "auroc",
    "average_precision",
    "dice",
    "far_from_lesion",
    "froc_point",
    "hd95",
    "histogram_entropy_difference",
    "histogram_js",
    "histogram_kl",
    "l1",
    "l1_ratio",
    "lift",
    "match_lesions",
    "precision",
    "psnr",
    "recall",
    "scored",
    "ssim",
    "surface_dice",
    "wasserstein_1",
]

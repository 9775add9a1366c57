"""How close a case's reconstruction is to its image."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from benchmark import metrics
from datasets.case import Case


def closeness(case: Case, reconstruction: NDArray[np.float32], wanted: Collection[str]) -> dict[str, float]:
    """Every wanted metric of a reconstruction `(X, Y, Z)`.

    Histograms are of healthy voxels: the brain without the lesion.
    """
    image, brain, lesion = case.image[0], case.brain_mask, case.lesion_mask
    healthy = brain if lesion is None else brain & ~lesion
    pair = image, reconstruction
    values = {
        "l1": lambda: metrics.l1(*pair, brain),
        "ssim": lambda: metrics.ssim(*pair, brain),
        "psnr": lambda: metrics.psnr(*pair, brain),
        "wasserstein_1": lambda: metrics.wasserstein_1(*pair, healthy),
        "histogram_js": lambda: metrics.histogram_js(*pair, healthy),
        "histogram_kl": lambda: metrics.histogram_kl(*pair, healthy),
        "histogram_entropy_difference": lambda: metrics.histogram_entropy_difference(*pair, healthy),
    }
    if lesion is not None:
        values["l1_ratio"] = lambda: metrics.l1_ratio(*pair, lesion, brain, case.spacing)
    return {name: value() for name, value in values.items() if name in wanted}

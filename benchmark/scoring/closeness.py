"""How close a case's reconstruction is to its image."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from benchmark import metrics
from benchmark.storage.rows import Row, rows_of
from datasets.case import Case, CaseFiles


def closeness(
    case: Case, reconstruction: NDArray[np.float32], wanted: Collection[str] = metrics.SCORED
) -> dict[str, float]:
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


def restoration(case: Case, host: NDArray[np.float32], reconstruction: NDArray[np.float32]) -> dict[str, float]:
    """How close a reconstruction comes to the scan without the lesion, `(X, Y, Z)`, in the lesion and outside."""
    brain = case.brain_mask
    lesion = brain if case.lesion_mask is None else brain & case.lesion_mask
    return {
        "restoration_l1": metrics.l1(host, reconstruction, lesion),
        "restoration_l1_outside": metrics.l1(host, reconstruction, brain & ~lesion),
        "lesion_l1": metrics.l1(host, case.image[0], lesion),
    }


def as_seen(blank: Row, files: CaseFiles, case: Case, reconstruction: NDArray[np.float32] | None) -> list[Row]:
    """Of a case under a shift: how far it is from the unshifted one, and how close its reconstruction is to it."""
    close = {} if reconstruction is None else closeness(case, reconstruction)
    return list(rows_of(blank, files, {"shift_dose": case.shift_dose} | close))

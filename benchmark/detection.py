"""Found or not: the threshold of so many false alarms a scan, and when a lesion counts as found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from benchmark.metrics import Mask, Scores

TOUCHING = np.ones((3, 3, 3), dtype=bool)
STEPS = 160  # of the ladder: each alarms 8 % more voxels than the one above
LEAST, MOST = 1e-6, 0.3  # alarmed share of the voxels at the ladder's ends


@dataclass(frozen=True)
class Scan:
    """The post-processed map of a healthy scan.

    Attributes:
        scores: `(X, Y, Z)`, 0 outside the brain.
        brain_mask: `(X, Y, Z)`.
        smallest: voxels of the smallest component that the chain keeps.
    """

    subject_id: str
    scores: Scores
    brain_mask: Mask
    smallest: int


def ladder(scans: Sequence[Scan]) -> NDArray[np.float64]:
    """Thresholds `(K,)`, descending from the highest score: quantiles of all scans' brain voxels, evenly in log share.

    0 is the last step at most: a score of 0 is never an alarm.
    """
    scores = np.concatenate([scan.scores[scan.brain_mask] for scan in scans]).astype(np.float64)
    shares = np.geomspace(LEAST, MOST, STEPS)
    steps = np.quantile(scores, np.concatenate([[1.0], 1 - shares]))
    return np.asarray(np.unique(steps)[::-1])


def cross_fitted_thresholds(scans: Sequence[Scan], *, alarms: float = 1.0) -> dict[str, float]:
    """For each subject the threshold at which the *other* subjects' scans have at most `alarms` alarms on average.

    Going down the ladder, the last step before the mean number of 26-connected components that the chain keeps
    exceeds `alarms`: lower down, where alarms merge, there may be fewer again, and nobody would deploy that. No scan
    takes part in its own threshold.

    Raises:
        ValueError: fewer than two subjects.
    """
    subjects = sorted({scan.subject_id for scan in scans})
    if len(subjects) < 2:
        raise ValueError(f"Got healthy scans of {len(subjects)} subjects, wanted at least two.")
    own = np.array([[scan.subject_id == subject for scan in scans] for subject in subjects])  # (S, N)
    steps = ladder(scans)
    found = np.full(len(subjects), steps[0])
    going = np.ones(len(subjects), dtype=bool)
    for step in steps:
        counts = np.array([count_alarms(scan.scores > step, scan.smallest) for scan in scans])
        means = (~own @ counts) / (~own).sum(axis=1)
        going &= means <= alarms
        found[going] = step
        if not going.any():
            break
    return dict(zip(subjects, found.tolist(), strict=True))


def count_alarms(prediction: Mask, smallest: int) -> int:
    """26-connected components `(X, Y, Z)` of at least `smallest` voxels.

    Example:
        >>> count_alarms(np.eye(3, dtype=bool)[None], 3), count_alarms(np.eye(3, dtype=bool)[None], 4)
        (1, 0)
    """
    if not prediction.any():
        return 0
    labels, _ = ndimage.label(prediction, structure=TOUCHING)
    return int((np.bincount(labels.ravel())[1:] >= smallest).sum())


def found(prediction: Mask, lesion: Mask, *, share: float = 0.0) -> float:
    """1 if the prediction covers at least one voxel and at least `share` of the lesion, else 0.

    Args:
        prediction, lesion: equal shapes, any.

    Returns:
        NaN for a lesion without a voxel.

    Example:
        >>> lesion = np.array([True, True, True, False])
        >>> prediction = np.array([True, False, False, False])
        >>> found(prediction, lesion), found(prediction, lesion, share=0.5)
        (1.0, 0.0)
    """
    size = np.count_nonzero(lesion)
    if not size:
        return float("nan")
    covered = np.count_nonzero(prediction & lesion)
    return float(covered >= max(1, share * size))

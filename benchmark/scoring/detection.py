"""Found or not: the threshold of so many false alarms a scan, and when a lesion counts as found."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import Mask

STEPS = 160  # of the ladder: each alarms 8 % more voxels than the one above
LEAST, MOST = 1e-6, 0.3  # alarmed share of the voxels at the ladder's ends
SHARES = np.append(0.0, np.geomspace(LEAST, MOST, STEPS))
"""`(S,)` of the voxels, that lie above a step of the ladder."""


def ladder(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds `(K,)`, descending from the highest score; 0 is the last at most: a score of 0 is never an alarm.

    Args:
        scores: `(S,)` those that `SHARES` of all scans' brain voxels exceed.
    """
    return np.asarray(np.unique(scores)[::-1])


def cross_fitted_thresholds(
    subjects: Sequence[str], steps: NDArray[np.float64], counts: NDArray[np.intp], *, alarms: float = 1.0
) -> dict[str, float]:
    """For each subject the threshold at which the *other* subjects' scans have at most `alarms` alarms on average.

    Going down the ladder, the last step before the mean number of 26-connected components that the chain keeps
    exceeds `alarms`: lower down, where alarms merge, there may be fewer again, and nobody would deploy that. No scan
    takes part in its own threshold.

    Args:
        subjects: `(N,)` of each healthy scan.
        steps: `(K,)` the ladder.
        counts: `(N, K)` alarms of each scan at each step.

    Raises:
        ValueError: fewer than two subjects.
    """
    known = sorted(set(subjects))
    if len(known) < 2:
        raise ValueError(f"Got healthy scans of {len(known)} subjects, wanted at least two.")
    found = dict[str, float]()
    for subject in known:
        others = np.array([one != subject for one in subjects])
        too_many = np.flatnonzero(counts[others].mean(axis=0) > alarms)
        last = too_many[0] - 1 if too_many.size else steps.size - 1
        found[subject] = float(steps[max(last, 0)])
    return found


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

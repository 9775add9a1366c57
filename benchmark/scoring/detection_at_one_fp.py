"""ONE_ALARM: which implanted lesions are found at one false alarm a scan in the other subjects' healthy scans."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.ground_truth import Anatomy
from benchmark.metrics.masks import Mask
from benchmark.scoring.pooled_voxels import quantiles
from benchmark.scoring.processed_maps import Shelf
from benchmark.scoring.ranking_pass import FirstPass
from benchmark.scoring.thresholds.protocols import above
from benchmark.storage.rows import Row, decision_row, rows_of
from benchmark.study.cells import Evaluation

ONE_ALARM = "one-alarm"
"""Protocol of lesions whose scan without them is known, their host."""


def one_alarm_rows(first: FirstPass, chain: str) -> Iterator[Row]:
    """Which implanted lesions are found, and which alarms are raised in a subject's own host; none without implants.

    A subject's threshold is a row, too.
    """
    thresholds = _thresholds(first.shelf, chain)
    blank = decision_row(Evaluation(first.cell, chain, ONE_ALARM), ONE_ALARM)
    for subject_id, threshold in thresholds.items():
        yield replace(blank, split="test", subject_id=subject_id, metric="threshold", value=threshold)
    for number, kept in enumerate(first.shelf.cases):
        if kept.files.subject_id in thresholds and (kept.files.healthy or kept.files.host is not None):
            prediction = above(first.shelf.scores(number, chain), thresholds[kept.files.subject_id])
            yield from rows_of(blank, kept.files, first.choices.wanted(_found(prediction, kept.read())))


def _thresholds(shelf: Shelf, chain: str) -> Mapping[str, float]:
    """By subject; none where there are no implants, or hosts of fewer than two subjects."""
    hosts = shelf.numbers(lambda kept: kept.files.healthy)
    subjects = [shelf.cases[number].files.subject_id for number in hosts]
    if not shelf.numbers(lambda kept: kept.files.host is not None) or len(set(subjects)) < 2:
        return {}
    steps = ladder(quantiles(shelf.pool(hosts, chain), SHARES))
    counts = [
        [prediction.alarms.count for prediction in shelf.cases[number].read().predictions(scores, steps.tolist())]
        for number, scores in ((number, shelf.scores(number, chain)) for number in hosts)
    ]
    return cross_fitted_thresholds(subjects, steps, np.array(counts))


def _found(prediction: Mask, one: Anatomy) -> dict[str, float]:
    if one.lesion_mask is None:
        return {"alarms": float(one.prediction(prediction).alarms.count)}
    return {"found": found(prediction, one.lesion), "found_tenth": found(prediction, one.lesion, share=0.1)}


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

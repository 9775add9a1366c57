"""ONE_ALARM: which implanted lesions are found at one false alarm a scan in the other subjects' healthy scans."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from benchmark.metrics.ground_truth import Anatomy
from benchmark.metrics.masks import Mask
from benchmark.scoring.detection import SHARES, cross_fitted_thresholds, found, ladder
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

"""Implanted lesions found at the threshold of one false positive a scan in the other subjects' healthy scans."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics.masks import above
from benchmark.metrics.metric import Decision, compute
from benchmark.postprocessing.pipelines import Pipeline
from benchmark.scoring.pooled_voxels import quantiles
from benchmark.scoring.processed_maps import ProcessedMaps
from benchmark.scoring.ranking_pass import RankingPass
from benchmark.storage.rows import Row, evaluation_row, rows_of
from benchmark.study.cells import Evaluation
from benchmark.study.protocols import ONE_ALARM
from datasets.words import count_text

STEPS = 160  # of the ladder: at each 8 % more voxels are predicted than at the one above
LEAST, MOST = 1e-6, 0.3  # predicted share of the voxels at the ladder's ends
SHARES = np.append(0.0, np.geomspace(LEAST, MOST, STEPS))
"""`(S,)` of the voxels, that lie above a step of the ladder."""


def one_alarm_rows(ranking: RankingPass, pipeline: Pipeline) -> Iterator[Row]:
    """Which implanted lesions are found, and the components in a subject's own host; none without implants.

    A subject's threshold is a row, too.
    """
    thresholds = _thresholds(ranking.maps, pipeline.name)
    blank = evaluation_row(Evaluation(ranking.cell, pipeline, ONE_ALARM))
    for subject_id, threshold in thresholds.items():
        yield replace(blank, split="test", subject_id=subject_id, metric="threshold", value=threshold)
    in_host = [metric for metric in ranking.settings.metrics if metric.name == "alarms"]
    in_implant = [metric for metric in ranking.settings.metrics_of("prediction") if metric.cases == "implanted"]
    for number, case in enumerate(ranking.maps.cases):
        files = case.files
        if files.subject_id in thresholds and (files.healthy or files.host is not None):
            truth = case.read()
            mask = above(ranking.maps.scores(number, pipeline.name), thresholds[files.subject_id])
            decision = Decision(truth, truth.prediction(mask))
            metrics, kinds = (in_host, truth.kinds) if files.healthy else (in_implant, {"implanted"})
            yield from rows_of(blank, files, compute(metrics, decision, kinds))


def _thresholds(maps: ProcessedMaps, pipeline: str) -> Mapping[str, float]:
    """By subject; none where there are no implants, or hosts of fewer than two subjects."""
    hosts = maps.numbers(lambda files: files.healthy)
    subjects = [maps.cases[number].files.subject_id for number in hosts]
    if not maps.numbers(lambda files: files.host is not None) or len(set(subjects)) < 2:
        return {}
    steps = ladder(quantiles(maps.pool(hosts, pipeline), SHARES))
    counts = [
        [prediction.components.count for prediction in maps.cases[number].read().predictions(scores, steps.tolist())]
        for number, scores in ((number, maps.scores(number, pipeline)) for number in hosts)
    ]
    return cross_fitted_thresholds(subjects, steps, np.array(counts))


def ladder(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds `(K,)`, descending from the highest score; 0 is the last at most: a score of 0 is never predicted.

    Args:
        scores: `(S,)` those that `SHARES` of all scans' brain voxels exceed.
    """
    return np.asarray(np.unique(scores)[::-1])


def cross_fitted_thresholds(
    subjects: Sequence[str], steps: NDArray[np.float64], counts: NDArray[np.intp], *, allowed: float = 1.0
) -> dict[str, float]:
    """For each subject the threshold at which the *other* subjects' scans have at most `allowed` components on average.

    Going down the ladder, the last step before the mean number of 26-connected components that the pipeline keeps
    exceeds `allowed`: lower down, where components merge, there may be fewer again, and nobody would deploy that. No
    scan takes part in its own threshold.

    Args:
        subjects: `(N,)` of each healthy scan.
        steps: `(K,)` the ladder.
        counts: `(N, K)` components of each scan at each step.

    Raises:
        ValueError: fewer than two subjects.
    """
    known = sorted(set(subjects))
    if len(known) < 2:
        raise ValueError(f"Got healthy scans of {count_text(len(known), 'subject')}, expected at least two.")
    found = dict[str, float]()
    for subject in known:
        others = np.array([one != subject for one in subjects])
        too_many = np.flatnonzero(counts[others].mean(axis=0) > allowed)
        last = too_many[0] - 1 if too_many.size else steps.size - 1
        found[subject] = float(steps[max(last, 0)])
    return found

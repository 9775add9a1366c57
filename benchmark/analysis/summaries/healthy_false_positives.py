"""False alarms in healthy scans with intervals, a line a method and cohort."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import alarm_choice, of_metric
from benchmark.analysis.summaries.standings import mean_of
from benchmark.statistics.intervals.mean import exact_interval
from benchmark.statistics.panel import Panel, Question, panels
from datasets.errors import MissingData
from datasets.simulation.implants import host_cohort

METRICS = ("alarm", "alarms", "alarm_ml", "alarm_fraction")
QUESTION: Question = "these weights"


@dataclass(frozen=True)
class AlarmLine:
    """What one method raises in one cohort's healthy scans.

    Attributes:
        domain: "in-domain" for the cohort that the methods were fitted on, else "out-of-domain".
        metric: `alarm` is the share of people with any alarm; the others are means over people.
        n: people; the scans of one are averaged, and so are training seeds.
        low, high: exact (Clopper-Pearson) for `alarm`, bootstrap-t else; NaN without one.
    """

    dataset: str
    split: str
    domain: str
    postprocessing: str
    protocol: str
    metric: str
    method: str
    n: int
    scans: int
    seeds: int
    mean: float
    low: float
    high: float
    level: float


def alarm_lines(comparable: Comparable, fitted_on: str) -> Iterator[AlarmLine]:
    for dataset in comparable.seeds:
        choice = alarm_choice(comparable, dataset)
        if choice is None:
            continue
        domain = "in-domain" if host_cohort(dataset) == fitted_on else "out-of-domain"
        for metric in METRICS:
            try:
                found = panels(comparable.unshifted, of_metric(choice, metric), comparable.all_seeds(dataset))
            except MissingData:
                continue
            for method, panel in found.items():
                n, s, mean, low, high = _mean(panel, metric, comparable.endpoint.alpha)
                yield AlarmLine(
                    dataset, choice.split, domain, choice.postprocessing, choice.protocol, metric, method,
                    n, panel.scans, s, mean, low, high, 1 - comparable.endpoint.alpha,
                )  # fmt: skip


def _mean(panel: Panel, metric: str, alpha: float) -> tuple[int, int, float, float, float]:
    """People, seeds, mean, low and high."""
    kept, found = mean_of(panel, QUESTION, alpha)
    n, s = kept.shape
    if metric != "alarm" or not n:
        return n, s, found.mean, found.low, found.high
    low, high = exact_interval(float(np.sum(kept.mean(axis=1))), n, alpha=alpha)
    return n, s, found.mean, low, high

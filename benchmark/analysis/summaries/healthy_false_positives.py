"""False positives on healthy scans, with intervals."""

from collections.abc import Iterator
from dataclasses import replace
from math import nan

import numpy as np

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import HEALTHY, healthy_choice
from benchmark.analysis.summaries.lines import line
from benchmark.statistics.intervals.mean import EXACT, Interval, exact_interval
from benchmark.statistics.panel import TRAINED_MODEL, Panel
from benchmark.storage.summary_tables import SummaryLine
from datasets.errors import MissingData


def healthy_lines(comparable: Comparable) -> Iterator[SummaryLine]:
    """Means over people: the share with any false positive has the exact interval, the others bootstrap-t."""
    for dataset in comparable.seeds:
        choice = healthy_choice(comparable, dataset)
        for metric in HEALTHY if choice is not None else ():
            assert choice is not None
            own = replace(choice, metric=metric)
            try:
                found = comparable.grouped.panels(own, comparable.all_seeds(dataset))
            except MissingData:
                continue
            for panel in found.values():
                interval = _exact(panel, comparable.endpoint.alpha) if metric == "alarm" else None
                yield line(comparable, own, panel, "healthy", question=TRAINED_MODEL, found=interval)


def _exact(panel: Panel, alpha: float) -> Interval | None:
    """Clopper and Pearson's; None without a patient."""
    kept = panel.complete
    n, seeds = kept.shape
    if not n:
        return None
    low, high = exact_interval(float(np.sum(kept.mean(axis=1))), n, alpha=alpha)
    return Interval(float(kept.mean()), low, high, 1 - alpha, TRAINED_MODEL, EXACT, n, seeds, nan)

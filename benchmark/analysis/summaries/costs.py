"""Seconds and memory of mapping a volume, and which methods no other beats in both cost and quality."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import nan

import numpy as np
import pandas as pd

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.summaries.lines import line
from benchmark.statistics.panel import TRAINED_MODEL, Choice, Panel, Rows
from benchmark.storage.summary_tables import SummaryLine

IN_RUN = "run"
"""How a cost was measured that `speed --run` did not measure alone."""


def cost_lines(
    comparable: Comparable, timing: pd.DataFrame, quality: Sequence[SummaryLine], alone: pd.DataFrame | None = None
) -> Iterator[SummaryLine]:
    """Of every cohort: seconds a volume, the median over cases, and the most memory held at once.

    Args:
        timing: the run's, as `read_rows` gives it.
        quality: the run's endpoints.
        alone: what `speed` has measured of the run's methods at its precision, on whatever scans of its grid; it goes
            before the run's timing, in which methods may have shared the machine. Of several ways the fastest.
    """
    timing = timing[timing["shift"] == "none"]
    for dataset in comparable.seeds:
        rivals = {
            one.method: one.mean for one in quality
            if (one.dataset, one.order, one.question) == (dataset, 1, TRAINED_MODEL)
        }  # fmt: skip
        for method in comparable.seeds_aside.get(dataset, {}):  # what stands aside is shown, and no rival
            rivals[method] = nan
        found = [
            one
            for method in comparable.all_seeds(dataset)
            for one in _of_method(comparable, dataset, method, timing, alone)
        ]
        for metric in ("seconds", "peak_bytes"):
            own = [one for one in found if one.metric == metric]
            first = pareto([(rivals.get(one.method, nan), one.mean) for one in own])
            yield from (
                replace(one, rank_low=1.0, rank_high=1.0) if best else one for one, best in zip(own, first, strict=True)
            )


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of (quality, cost) no other dominates; one with a NaN neither is nor dominates.

    Examples:
        >>> pareto([(0.5, 1.0), (0.4, 2.0), (0.6, 3.0)])
        [True, False, True]
    """

    def dominated(one: tuple[float, float]) -> bool:
        return any(
            other != one and other[0] >= one[0] and other[1] <= one[1] for other in points if not np.isnan(other).any()
        )

    return [not np.isnan(one).any() and not dominated(one) for one in points]


def _of_method(
    comparable: Comparable, dataset: str, method: str, timing: pd.DataFrame, alone: pd.DataFrame | None
) -> Iterator[SummaryLine]:
    own, measured = _fastest(alone, method)
    if own is None:
        own = timing[(timing["method"] == method) & (timing["dataset"] == dataset)]
        own = own[own["split"].isin([comparable.split, ""])]
    # A cost is of a scan, not of a patient.
    rows = Rows(own.assign(dataset=dataset, split=comparable.split, subject_id=own["case_id"], sampling_seed=0.0))
    seeds = {method: comparable.all_seeds(dataset)[method]}
    seconds = Choice(dataset, "seconds", "", "", comparable.split)
    if not rows.of(seconds).empty:
        panel = rows.panels(seconds, seeds)[method]
        yield _line(comparable, seconds, panel, "median", panel.quantile(0.5), measured)
    memory = Choice(dataset, "peak_bytes", "", "", comparable.split)
    for panel in rows.cohort_panels(memory, seeds).values():
        if not panel.is_empty:
            yield _line(comparable, memory, panel, "maximum", float(rows.of_cohort(memory)["value"].max()), measured)


def _line(comparable: Comparable, choice: Choice, panel: Panel, kind: str, value: float, measured: str) -> SummaryLine:
    whole = line(comparable, choice, panel, "")
    return replace(whole, kind=kind, mean=value, sd=nan, lowest_seed=nan, highest_seed=nan, interval=measured)


def _fastest(alone: pd.DataFrame | None, method: str) -> tuple[pd.DataFrame | None, str]:
    """Rows of one method by the fastest way that was measured alone, and that way; None without one."""
    if alone is not None:
        own = alone[alone["method"] == method]
        seconds = own[own["metric"] == "seconds"].groupby("flags")["value"].median().dropna()
        if not seconds.empty:
            way = str(seconds.idxmin())
            return own[own["flags"] == way], way
    return None, IN_RUN

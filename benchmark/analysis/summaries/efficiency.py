"""Quality against seconds a volume and memory: which methods no other beats in both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan

import numpy as np
import pandas as pd

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.summaries.standings import Line

RUN = "run"


@dataclass(frozen=True)
class EfficiencyLine:
    """One method in one cohort.

    Attributes:
        quality: mean under the choice that decides; higher is better.
        seconds: a volume, median over cases and fits; NaN where not measured.
        bytes: most memory held at once, over the method's fits: on a GPU what was allocated, else the whole process.
        measured: "run", while the study was made, or the way of computing that `speed --run` measured alone.
        first_in_time, first_in_memory: 1 where no ranked method is at least as good in both and better in one.
    """

    dataset: str
    metric: str
    method: str
    quality: float
    seconds: float
    bytes: float
    measured: str = RUN
    first_in_time: int = 0
    first_in_memory: int = 0


def efficiency_lines(
    comparable: Comparable, timing: pd.DataFrame, lines: Sequence[Line], alone: pd.DataFrame | None = None
) -> Iterator[EfficiencyLine]:
    """Of every cohort of lesions.

    Args:
        timing: the run's, as `read_rows` gives it.
        lines: the run's standings.
        alone: what `speed` has measured of the run's methods at its precision, on whatever scans of its grid; it goes
            before the run's timing, in which methods may have shared the machine. Of several ways the fastest.
    """
    timing = timing[timing["shift"] == "none"]
    for dataset in comparable.seeds:
        own = timing[timing["dataset"] == dataset]
        decided = [one for one in lines if one.dataset == dataset and one.decides and one.question == "these weights"]
        found = [_line(one, *_fastest(own, alone, one.method)) for one in decided]
        aside = comparable.labelled_seeds.get(dataset, {})  # what uses lesion labels is shown, and no rival
        quality = [nan if one.method in aside else one.quality for one in found]
        time = pareto(list(zip(quality, (one.seconds for one in found), strict=True)))
        memory = pareto(list(zip(quality, (one.bytes for one in found), strict=True)))
        for one, fast, small in zip(found, time, memory, strict=True):
            yield replace(one, first_in_time=int(fast), first_in_memory=int(small))


def pareto(points: Sequence[tuple[float, float]]) -> list[bool]:
    """Which of (quality, cost) no other dominates; one with a NaN neither is nor dominates.

    Example:
        >>> pareto([(0.5, 1.0), (0.4, 2.0), (0.6, 3.0)])
        [True, False, True]
    """

    def dominated(one: tuple[float, float]) -> bool:
        return any(
            other != one and other[0] >= one[0] and other[1] <= one[1] for other in points if not np.isnan(other).any()
        )

    return [not np.isnan(one).any() and not dominated(one) for one in points]


def _fastest(timing: pd.DataFrame, alone: pd.DataFrame | None, method: str) -> tuple[pd.DataFrame, str]:
    """Rows of one method, and how they were measured."""
    if alone is not None:
        own = alone[alone["method"] == method]
        seconds = own[own["metric"] == "seconds"].groupby("flags")["value"].median().dropna()
        if not seconds.empty:
            way = str(seconds.idxmin())
            return own[own["flags"] == way], way
    return timing[timing["method"] == method], RUN


def _line(one: Line, timing: pd.DataFrame, measured: str) -> EfficiencyLine:
    seconds = timing[timing["metric"] == "seconds"]["value"]
    peak = timing[timing["metric"] == "peak_bytes"]["value"]
    return EfficiencyLine(
        one.dataset, one.metric, one.method, one.mean,
        seconds=float(seconds.median()) if not seconds.dropna().empty else nan,
        bytes=float(peak.max()) if not peak.dropna().empty else nan,
        measured=measured,
    )  # fmt: skip

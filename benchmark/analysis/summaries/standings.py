"""Standings: each method's mean with its interval and the ranks that the data leave open, and all pairs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np

from benchmark.analysis.compare_methods import Comparable, Standing
from benchmark.analysis.endpoints import area_choices, overlap_choices
from benchmark.statistics.intervals.mean import Interval, interval
from benchmark.statistics.pairwise.paired_difference import Comparison
from benchmark.statistics.panel import QUESTIONS, Choice, Panel, Question, panels
from benchmark.statistics.primary_endpoint import Endpoint


@dataclass(frozen=True)
class Line:
    """One method under one choice and one question.

    Attributes:
        endpoint: "primary" or "exploratory".
        decides: 1 for the choice that the cohort's methods are ranked by, else 0.
        n, left_out: patients with a number under every seed, and those without.
        scans: of all the patients.
        seeds, planned: training seeds with numbers, and how many there were to be.
        low, high: NaN without an interval, for the reason `why_none`.
        interval: how it was made.
        coverage: how often its like held the truth in simulations; NaN if unknown.
        rank_low, rank_high: NaN where no pair of the method can be tested, or it is not to be ranked.
        rivals: methods that were ranked together.
    """

    dataset: str
    split: str
    metric: str
    postprocessing: str
    protocol: str
    endpoint: str
    decides: int
    question: str
    method: str
    n: int
    left_out: int
    scans: int
    seeds: int
    planned: int
    mean: float
    low: float
    high: float
    level: float
    interval: str
    why_none: str
    coverage: float
    rank_low: float
    rank_high: float
    rivals: int


def standings_of(comparable: Comparable) -> Iterator[Standing]:
    """Of every cohort of lesions; the choice that decides comes first in each."""
    for dataset in comparable.seeds:
        for choice in (*overlap_choices(comparable, dataset), *area_choices(comparable, dataset)):
            yield comparable.standing(choice)


def lines_of(comparable: Comparable, standings: Sequence[Standing]) -> Iterator[Line]:
    """A line a method and question; below the ranked methods those that use lesion labels, without a rank."""
    decided: set[str] = set()
    for one in standings:
        decides = one.choice.dataset not in decided
        decided.add(one.choice.dataset)
        aside = panels(comparable.unshifted, one.choice, comparable.labelled_seeds.get(one.choice.dataset, {}))
        for question in QUESTIONS:
            ranks = _ranks(one, question)
            for method, panel in {**one.panels, **aside}.items():
                rank = ranks.get(method, (nan, nan))
                yield method_line(panel, one.choice, question, comparable.endpoint, decides, rank, len(one.panels))


def method_line(
    panel: Panel,
    choice: Choice,
    question: Question,
    endpoint: Endpoint,
    decides: bool = False,
    rank: tuple[float, float] = (nan, nan),
    rivals: int = 0,
) -> Line:
    kept, found = mean_of(panel, question, endpoint.alpha)
    return Line(
        choice.dataset, choice.split, choice.metric, choice.postprocessing, choice.protocol,
        endpoint.rank_of(choice), int(decides), question, panel.method,
        n=found.n, left_out=len(panel.patients) - found.n, scans=panel.scans, seeds=kept.shape[1],
        planned=len(panel.seeds), mean=found.mean, low=found.low, high=found.high, level=found.level,
        interval=found.method, why_none=found.why_none, coverage=found.coverage,
        rank_low=rank[0], rank_high=rank[1], rivals=rivals,
    )  # fmt: skip


def mean_of(panel: Panel, question: Question, alpha: float) -> tuple["np.ndarray", Interval]:
    """The complete patients under the seeds that have any number, `(n, s)`, and their mean."""
    with_any = panel.values[:, ~np.isnan(panel.values).all(axis=0)]
    kept = with_any[~np.isnan(with_any).any(axis=1)] if with_any.shape[1] else np.zeros((0, 0))
    return kept, interval(kept, question, "mean", alpha=alpha)


def _ranks(one: Standing, question: Question) -> dict[str, tuple[float, float]]:
    """Of the methods that have a pair that can be tested; of the others every rank is open, which says nothing."""
    tested: Sequence[Comparison] = [pair for pair in one.comparisons[question] if pair.state != "not testable"]
    named = {name for pair in tested for name in (pair.a, pair.b)}
    return {method: ranks for method, ranks in one.ranks(question).items() if method in named}

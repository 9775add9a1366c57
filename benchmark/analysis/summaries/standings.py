"""Endpoints of each lesion cohort: every method's mean with its interval and the ranks that the tests leave open."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import nan

from benchmark.analysis.compare_methods import Comparable, Standing
from benchmark.analysis.endpoints import endpoint_choices, why_unranked
from benchmark.analysis.summaries.lines import line
from benchmark.statistics.panel import QUESTIONS, Question
from benchmark.storage.summary_tables import SummaryLine


def standings_of(comparable: Comparable) -> Iterator[Standing]:
    """Of every cohort of lesions under all its endpoints; `ranking_choice` comes first in each."""
    for dataset in comparable.seeds:
        for choice in endpoint_choices(comparable, dataset):
            yield comparable.standing(choice)


def standing_lines(comparable: Comparable, standings: Sequence[Standing]) -> Iterator[SummaryLine]:
    """One line for each method and question, `order` as the standings come in each cohort.

    Below the ranked methods stand those that use lesion labels or are transductive, without a rank.
    """
    counted: dict[str, int] = {}
    for one in standings:
        dataset = one.choice.dataset
        counted[dataset] = counted.get(dataset, 0) + 1
        yield from lines_of(comparable, one, order=counted[dataset])


def lines_of(comparable: Comparable, one: Standing, order: int = 0) -> Iterator[SummaryLine]:
    """The methods of one standing."""
    aside = comparable.grouped.panels(one.choice, comparable.seeds_aside.get(one.choice.dataset, {}))
    endpoints = comparable.endpoints(one.choice.dataset)
    count = len(endpoints) if one.choice in endpoints else 1
    unranked = why_unranked(comparable, one.choice.dataset)
    for question in QUESTIONS:
        ranks = {} if unranked else _ranks(one, question)
        for method, panel in {**one.panels, **aside}.items():
            low, high = ranks.get(method, (nan, nan))
            found = line(comparable, one.choice, panel, "lesion", question=question)
            yield replace(
                found, order=order, endpoints=count, unranked=unranked, rank_low=float(low), rank_high=float(high),
                rank_level=1 - comparable.endpoint.alpha / count, rivals=len(one.panels),
            )  # fmt: skip


def _ranks(one: Standing, question: Question) -> dict[str, tuple[int, int]]:
    """Of the methods with a pair that can be tested; of the others every rank is open, which says nothing."""
    tested = [pair for pair in one.comparisons[question] if pair.state != "not testable"]
    named = {name for pair in tested for name in (pair.a, pair.b)}
    return {method: ranks for method, ranks in one.ranks(question).items() if method in named}

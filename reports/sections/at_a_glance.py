"""Section At a glance: each lesion cohort's methods by rank, in the few columns that a first look needs."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from benchmark.metrics import METRICS
from benchmark.study.cells import PERFECT_MAP
from reports.markup.markdown import MISSING, escape
from reports.model.cohort_results import CohortResults
from reports.model.ranking import (
    ONLY_WEIGHTS,
    OPEN,
    SHORT,
    Headline,
    Ranking,
    answer,
    choice_text,
    headlines,
    ranking_of,
    rankings_of,
)
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import Column, Lead, markdown_table, metric_column, seconds_column

LEGEND = (
    "Tables are ordered by the first endpoint. Rank: those that the tests leave open, all at once at 95 %, each of two "
    "endpoints at 97.5 %; `-`: nothing of it can be tested. *Better* is said where both endpoints say so. **Bold**: "
    "the best; "
    f"{OPEN}: not shown to differ from it. Interval {ONLY_WEIGHTS}: of these weights alone, "
    f"since the recipe has under 3 seeds; {SHORT}: such intervals covered less than 93 % in simulations. "
    "Far alarms: alarmed share of the brain more than 10 mm from the lesion. `-`: missing, not computed."
)


def at_a_glance(results: RunResults) -> str:
    """Markdown; cohorts with patients enough to rank by first; "" where there is no lesion cohort."""
    if not results.lesion:
        return ""
    ordered = sorted(results.lesion.items(), key=lambda item: not item[1].rankable)
    parts = [part for name, cohort in ordered for part in _cohort(results, name, cohort)]
    legend = [LEGEND] if any(ranking_of(results, name) is not None for name in results.lesion) else []
    return "\n\n".join([results.heading("At a glance"), *parts, *legend])


def _cohort(results: RunResults, name: str, cohort: CohortResults) -> list[str]:
    rankings = rankings_of(results, name)
    caution = f" **{cohort.caution}**" if cohort.caution else ""
    if not rankings:
        first = headlines(results, cohort)[0]
        threshold = f"threshold `{escape(first.protocol)}`" if first.protocol else "no threshold"
        told = f"**{cohort_title(name)}**: post-processing `{first.pipeline}`, {threshold}.{caution}"
        return [told, markdown_table(cohort.ordered, short_lead(cohort), short_columns(cohort, first))]
    said = answer(cohort, rankings)
    told = f"**{cohort_title(name)}**, {_patients(cohort)}. {said}".rstrip() + caution
    return [f"{told} {choice_text(rankings[0])}.", standing_table(cohort, rankings)]


def standing_table(cohort: CohortResults, rankings: Sequence[Ranking]) -> str:
    """A line a method by its ranks under the first endpoint, and below them what has no rank and the perfect map."""
    return markdown_table(cohort.ordered, standing_lead(cohort, rankings[0]), standing_columns(cohort, rankings))


def standing_lead(cohort: CohortResults, ranking: Ranking) -> Lead[Hashable]:
    lead: dict[str, Callable[[Hashable], str]] = {
        "Method": cohort.label,
        "Rank": lambda method: _rank(ranking, method),
    }
    if ranking.ranks:
        return lead
    return {"Method": cohort.label, "n": cohort.patients_of}


def _rank(ranking: Ranking, method: Hashable) -> str:
    return "" if method == PERFECT_MAP else ranking.rank_text(str(method))


def standing_columns(cohort: CohortResults, rankings: Sequence[Ranking]) -> list[Column]:
    """The metric that decides with its interval, the same under the other endpoint, then what qualifies it."""
    ranking, *others = rankings
    one = ranking.first
    metric, pipeline, protocol = one["metric"], one["postprocessing"], one["protocol"]
    first = metric_column(cohort, METRICS[metric].title, metric, pipeline, protocol)
    return [
        replace(first, marks={method: OPEN for method in ranking.ranks if ranking.open_to(method)}),
        interval_column(first, ranking),
        *(column for other in others for column in _second(cohort, other)),
        metric_column(cohort, "AUPRC", "auprc", pipeline),
        metric_column(cohort, "Far alarms", "alarm_fraction_far", pipeline, protocol),
        seconds_column(cohort, "s/volume"),
    ]


def _second(cohort: CohortResults, ranking: Ranking) -> list[Column]:
    """Mean and ranks under an endpoint that the table is not ordered by."""
    one = ranking.first
    column = metric_column(
        cohort,
        f"{METRICS[one['metric']].title}, {one['protocol']}",
        one["metric"],
        one["postprocessing"],
        one["protocol"],
    )
    ranks = {method: _rank(ranking, method) for method in column.numbers}
    return [column, Column(f"Rank, {one['protocol']}", column.numbers, texts=ranks)]


def interval_column(of: Column, ranking: Ranking) -> Column:
    texts = {
        method: ranking.interval_text(str(method)) if method in ranking.methods else MISSING for method in of.numbers
    }
    return Column(f"{100 * ranking.first['level']:.0f} % interval", of.numbers, texts={**texts, PERFECT_MAP: ""})


def _patients(cohort: CohortResults) -> str:
    return f"{cohort.patients} patient{'s' * (cohort.patients != 1)}"


def short_columns(cohort: CohortResults, first: Headline) -> list[Column]:
    pipeline, protocol = first.pipeline, first.protocol
    return [
        metric_column(cohort, METRICS[first.metric].title, first.metric, pipeline, protocol),
        metric_column(cohort, "AUPRC", "auprc", pipeline),
        metric_column(cohort, "AUROC", "auroc", pipeline),
        metric_column(cohort, "Far alarms", "alarm_fraction_far", pipeline, protocol),
        seconds_column(cohort, "s/volume"),
    ]


def short_lead(cohort: CohortResults) -> Lead[Hashable]:
    lead: dict[str, Callable[[Hashable], str]] = {"Method": cohort.label, "n": cohort.patients_of}
    return lead

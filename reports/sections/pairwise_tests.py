"""Section of pairwise tests: better, equivalent or not separable under the choice that ranks."""

from collections.abc import Iterator, Sequence
from math import isnan

from benchmark.metrics import METRICS
from benchmark.statistics.panel import TRAINED_MODEL, TRAINING_PROCEDURE
from benchmark.statistics.primary_endpoint import EXPLORATORY
from reports.content.blocks import Block, Paragraph
from reports.content.table import SIGNS, Cell, Column, Stamp, Table, said, text_columns
from reports.content.text import Text, as_text, joined, prose
from reports.model.ranking import Ranking, choice_text, rankings_of
from reports.model.run_results import RunResults, cohort_title

LEGEND = prose(
    "Mean paired difference, row minus column: {} the row is better, {} it is worse, {} equivalent (surely within the "
    "margin), {} not separable, `{}` not testable. Where a cohort has two endpoints, both have to say so; {}, {} and "
    "{} hold under this one only. Tests are paired by patient and corrected for all pairs of the cohort; every number "
    "of them is in `comparisons.csv`.",
    *(SIGNS[state] for state in ("better", "worse", "equivalent", "not separable", "not testable", "better here",
                                 "worse here", "equivalent here")),
)  # fmt: skip
MOST_NAMED = 12  # pairs
HEAT_MAP_FROM = 12  # methods
SHADES = 3  # of a heat map, to each side


def pairwise_tests(results: RunResults) -> list[Block]:
    """A matrix for each cohort that has a pair which can be tested, under the choice that ranks."""
    parts: list[Block] = []
    for name, rankings in _tested(results):
        parts.append(matrix(name, rankings[0], rankings[0].question, _margin(rankings[0])))
        parts += [Paragraph(told) for one in rankings if (told := _only_here(one))]
    return [results.heading("Better, equivalent or not separable"), Paragraph(LEGEND), *parts] if parts else []


def further_pairs(results: RunResults) -> list[Block]:
    """The matrices of the other question and of the other endpoints."""
    tables: list[Block] = []
    for name, (first, *others) in _tested(results):
        if first.question == TRAINING_PROCEDURE:
            tables.append(matrix(name, first, TRAINED_MODEL, _margin(first)))
        tables += [matrix(name, one, one.question, _margin(one)) for one in others]
    return [results.heading("Pairs of methods, otherwise asked"), *tables] if tables else []


def _tested(results: RunResults) -> Iterator[tuple[str, Sequence[Ranking]]]:
    """The cohorts with ranks, each under all its endpoints."""
    for name in results.lesion:
        rankings = rankings_of(results, name)
        if rankings and rankings[0].ranks:
            yield name, rankings


def _margin(ranking: Ranking) -> str:
    margin = ranking.pairs["margin"].dropna()
    if margin.empty:
        return "No margin was fixed, so nothing is called equivalent."
    return f"Margin of equivalence: {margin.iloc[0]:g}."


def _only_here(ranking: Ranking) -> Text:
    """The pairs that are told apart under this endpoint alone."""
    told = [prose("{} better than {}", better, other) for better, other in ranking.better_here()]
    more = f" and {len(told) - MOST_NAMED} more" if len(told) > MOST_NAMED else ""
    listed = joined(told[:MOST_NAMED], ", ")
    return prose("Under `{}` only: {}{}.", ranking.under, listed, more) if told else Text()


def matrix(name: str, ranking: Ranking, question: str, told: str) -> Table:
    """A row and a column a method, in the order of all tables; from 12 methods on a heat map with numbers for names."""
    pairs = ranking.pairs[ranking.pairs["question"] == question]
    known = {*pairs["a"], *pairs["b"]}
    methods = [method for method in dict.fromkeys([*ranking.ranks, *ranking.methods]) if method in known]
    heat_map = len(methods) >= HEAT_MAP_FROM
    effects = {(a, b): ranking.effect(a, b, question) for a in methods for b in methods if a != b}
    largest = max((abs(one) for one in effects.values() if not isnan(one)), default=0.0) or 1.0

    def cell(a: str, b: str) -> Cell:
        if a == b:
            return Cell()
        state, effect = ranking.state(a, b, question), effects[a, b]
        if state == "not testable" or isnan(effect):
            return Cell(state="not testable")
        if heat_map:
            return Cell(effect, text=as_text(SIGNS[state]), state=state, shade=round(SHADES * effect / largest))
        return Cell(effect, state=state)

    one = ranking.first
    names = [str(place + 1) if heat_map else method for place, method in enumerate(methods)]
    firsts = [said(f"{place + 1} {method}" if heat_map else method) for place, method in enumerate(methods)]
    columns = [*text_columns("Row minus column"), *(Column(named, signed=True) for named in names)]
    rows = [[first, *(cell(a, b) for b in methods)] for first, a in zip(firsts, methods, strict=True)]
    shades = f" Shades: up to {largest:.3f} {METRICS[one['metric']].title} to each side." if heat_map else ""
    caption = joined([prose("{}: {}; of *{}*.{}", cohort_title(name), choice_text(ranking), question, shades), told])
    stamp: Stamp = "exploratory" if one["endpoint"] == EXPLORATORY else "endpoint"
    label = f"{name}-pairs-{one['protocol']}-{question}".replace(" ", "-")
    return Table(label, caption, columns, rows, stamp=stamp)

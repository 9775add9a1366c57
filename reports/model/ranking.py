"""Ranking: a cohort's methods under the choice that ranks them, what the tests say, and the choices shown first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isnan, nan
from typing import Any, cast

import pandas as pd

from benchmark.analysis.endpoints import deployable_protocols, healthy_protocols, pipelines
from benchmark.metrics import METRICS
from benchmark.statistics.intervals.coverage import is_short
from benchmark.statistics.pairwise.paired_difference import ALONE
from benchmark.statistics.panel import TRAINED_MODEL
from benchmark.statistics.primary_endpoint import EXPLORATORY, Endpoint
from benchmark.study.protocols import USES, protocol_named
from reports.content.table import NOT_TESTABLE, State
from reports.content.text import Text, joined, prose
from reports.model.cohort_results import CohortResults, best_first, question_of
from reports.model.run_results import RunResults
from reports.model.summary import CHOICE, Summary, domain_of

OPEN, ONLY_MODEL, SHORT = "\N{DAGGER}", "m", "\N{DOUBLE DAGGER}"
"""Marks: not shown to be worse than the best; an interval of the trained model alone; one that covers too little."""


@dataclass(frozen=True)
class Ranking:
    """Lines of `summary.csv` of one cohort, and of `comparisons.csv` under the same choice.

    Attributes:
        lines: of both questions.
        pairs: of both questions.
        question: the one that ranks are of: *this training procedure* where any pair can be tested so.
    """

    lines: pd.DataFrame
    pairs: pd.DataFrame
    question: str

    @property
    def first(self) -> "pd.Series[Any]":
        """A line, for the choice that all share."""
        return self.lines.iloc[0]

    @property
    def under(self) -> str:
        """The threshold, or the pipeline where none enters."""
        return str(self.first["protocol"] or self.first["postprocessing"])

    @property
    def methods(self) -> list[str]:
        """In the study's order, those that use lesion labels last."""
        return list(dict.fromkeys(self.lines["method"]))

    @cached_property
    def ranks(self) -> Mapping[str, tuple[int, int]]:
        """Rank sets of the methods that have one, in the order of their means."""
        own = self.lines[(self.lines["question"] == self.question) & self.lines["rank_low"].notna()]
        ordered = best_first(own)
        named = zip(ordered["method"], ordered["rank_low"], ordered["rank_high"], strict=True)
        return {method: (int(low), int(high)) for method, low, high in named}

    @property
    def leader(self) -> str:
        """The ranked method with the best mean; "" without any."""
        return next(iter(self.ranks), "")

    def line(self, method: str, question: str | None = None) -> "pd.Series[Any]":
        return self._lines[method, question or self.question]

    @cached_property
    def _lines(self) -> "Mapping[tuple[str, str], pd.Series[Any]]":
        return {(line["method"], line["question"]): line for _, line in self.lines[::-1].iterrows()}

    def rank_text(self, method: str) -> str:
        if method not in self.ranks:
            return NOT_TESTABLE
        low, high = self.ranks[method]
        return str(low) if low == high else f"{low}-{high}"

    def interval(self, method: str) -> tuple[float, float, str]:
        """Both ends and a mark: of the trained model alone where its training procedure has none, or one that
        covers too little.

        NaN where there is no interval.
        """
        for question in dict.fromkeys((self.question, TRAINED_MODEL)):
            one = self.line(method, question)
            if not isnan(one["low"]):
                marks = [ONLY_MODEL] if question != self.question else []
                marks += [SHORT] if is_short(one["coverage"]) else []
                return float(one["low"]), float(one["high"]), " ".join(marks)
        return nan, nan, ""

    def state(self, a: str, b: str, question: str | None = None) -> State:
        """What is shown of `a` against `b`.

        "here" is added to what holds under this endpoint of the cohort's two alone.
        """
        return self._pairs.get((question or self.question, a, b), ("not testable", nan))[0]

    def effect(self, a: str, b: str, question: str | None = None) -> float:
        """Mean paired difference a - b; NaN without one."""
        return self._pairs.get((question or self.question, a, b), ("not testable", nan))[1]

    @cached_property
    def _pairs(self) -> Mapping[tuple[str, str, str], tuple[State, float]]:
        """State and difference by question and pair, both ways round."""
        columns = (self.pairs[name] for name in ("question", "a", "b", "state", "better", "difference"))
        found: dict[tuple[str, str, str], tuple[State, float]] = {}
        for question, a, b, state, better, difference in zip(*columns, strict=True):
            found[question, a, b] = (_state(state, better, a), float(difference))
            found[question, b, a] = (_state(state, better, b), -float(difference))
        return found

    def better_here(self) -> list[tuple[str, str]]:
        """The pairs, the better one first, that are told apart under this endpoint of two alone."""
        own = self.pairs[(self.pairs["question"] == self.question) & (self.pairs["state"] == ALONE["better"])]
        named = zip(own["better"], own["a"], own["b"], strict=True)
        return [(better, b if better == a else a) for better, a, b in named]

    def open_to(self, method: str) -> bool:
        """Whether a method that is not the leader may be first, and is not shown to differ from the leader."""
        if method == self.leader or self.ranks.get(method, (0, 0))[0] != 1:
            return False
        return not self.state(self.leader, method).startswith(("better", "worse"))


def _state(state: str, better: str, method: str) -> State:
    """A pair's state as one of its methods sees it."""
    here = " here" if state in ALONE.values() else ""
    if better:
        state = "better" if better == method else "worse"
    return cast(State, state.split(" under ")[0] + here)


def rankings_of(results: RunResults, cohort: str) -> list[Ranking]:
    """Under each endpoint of a cohort, the first first; [] where no method has a number, or nothing is summarised."""
    return list(_rankings(results.summary, cohort))


@lru_cache(maxsize=256)
def _rankings(summary: Summary, cohort: str) -> tuple[Ranking, ...]:
    lines = summary.standings
    lines = lines[(lines["dataset"] == cohort) & (lines["decides"] > 0)]
    return tuple(_ranking(summary, own) for _, own in lines.groupby("decides"))


def ranking_of(results: RunResults, cohort: str) -> Ranking | None:
    """Under the first endpoint, which orders all tables; None without any."""
    return next(iter(rankings_of(results, cohort)), None)


def ranking_under(results: RunResults, cohort: str, metric: str, pipeline: str, protocol: str) -> Ranking | None:
    """The same under another choice that is summarised."""
    lines = results.summary.standings_by_choice.get((cohort, metric, pipeline, protocol))
    return None if lines is None else _ranking(results.summary, lines)


def _ranking(summary: Summary, lines: pd.DataFrame) -> Ranking:
    place = tuple(lines.iloc[0][column] for column in (*CHOICE, "split"))
    pairs = summary.pairs_by_choice.get(place, summary.comparisons[:0])
    return Ranking(lines, pairs, question_of(lines))


@dataclass(frozen=True)
class Headline:
    """Of one of a cohort's first tables.

    Attributes:
        metric: the endpoint's.
        protocol: "" where no threshold that could be deployed was asked for.
        why: the choice and its reason.
    """

    metric: str
    pipeline: str
    protocol: str
    why: Text


def headlines(results: RunResults, cohort: CohortResults) -> list[Headline]:
    """The cohort's endpoints, then their metric after each other pipeline."""
    own = cohort.lines[(cohort.lines["order"] > 0) & (cohort.lines["metric"] == results.endpoint.metric)]
    own = own[own["protocol"] != ""].sort_values("order")
    defined = list(dict.fromkeys(zip(own["postprocessing"], own["protocol"], strict=True)))
    deployable = deployable_protocols(results.scoring, results.endpoint)
    first = next(iter(deployable), "")
    pairs = [
        pair
        for name in headline_pipelines(results)
        for pair in [one for one in defined if one[0] == name] or [(name, first)]
    ]
    return [_headline(cohort, results.endpoint, *pair, deployable, pairs) for pair in pairs]


def headline_pipelines(results: RunResults) -> list[str]:
    """The pipelines that tables are of, the endpoint's first."""
    return pipelines(results.scoring, results.endpoint)


def ranking_of_headline(results: RunResults, cohort: str, first: Headline) -> Ranking | None:
    """The ranking under a headline; None where nothing is summarised under it."""
    return ranking_under(results, cohort, first.metric, first.pipeline, first.protocol)


def _headline(
    cohort: CohortResults,
    endpoint: Endpoint,
    pipeline: str,
    protocol: str,
    deployable: Sequence[str],
    shown: Sequence[tuple[str, str]],
) -> Headline:
    if not protocol:
        why = prose("Post-processing `{}`; no threshold that could be deployed was asked for.", pipeline)
        return Headline(endpoint.metric, pipeline, "", why)
    why = prose("Post-processing `{}`, threshold `{}`: {}.", pipeline, protocol, protocol_named(protocol).what)
    if (pipeline, endpoint.protocol) not in shown and endpoint.protocol in deployable:
        absent = why_absent(cohort, pipeline, endpoint.protocol)
        why += prose(" The first endpoint's, `{}`, is {}.", endpoint.protocol, absent)
    return Headline(endpoint.metric, pipeline, protocol, why)


def why_absent(cohort: CohortResults, pipeline: str, protocol: str) -> str:
    """Why nothing has been scored under a threshold."""
    if not any(number.wanted for number in cohort.numbers("threshold", pipeline, protocol).values()):
        return "not computed"
    told = [one.unavailable for one in cohort.numbers("dice", pipeline, protocol).values() if one.unavailable]
    return told[0] if told else f"undefined here: {USES[protocol_named(protocol).uses][1]}"


def healthy_protocol(results: RunResults) -> str:
    """The threshold at which healthy scans are looked at; "" where none that needs no lesions was asked for."""
    known, summarised = healthy_protocols(results.scoring, results.endpoint), set(results.summary.healthy["protocol"])
    return next(iter([*(name for name in known if name in summarised), *known]), "")


MIXED = "in-domain for some methods"


def domain(results: RunResults, cohort: str) -> str:
    """Whether a healthy cohort is one that the methods know; of cohorts left out in turn, both."""
    found = dict.fromkeys(domain_of(cohort, fit.fitted_on) for fit in results.fits)
    return next(iter(found)) if len(found) == 1 else MIXED


def sees_test(protocol: str) -> bool:
    return protocol_named(protocol).sees_test_labels


def choice_text(ranking: Ranking) -> Text:
    """What the numbers are of, and whether it was fixed beforehand."""
    one = ranking.first
    parts = joined(
        [
            METRICS[one["metric"]].title,
            prose("post-processing `{}`", one["postprocessing"]) if one["postprocessing"] else "",
            prose("threshold `{}`", one["protocol"]) if one["protocol"] else "",
        ],
        ", ",
    )
    standing = one["endpoint"] if one["endpoint"] == EXPLORATORY else f"{one['endpoint']} endpoint"
    return prose("{} ({})", parts, standing)

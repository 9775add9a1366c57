"""Ranking: a cohort's methods under the choice that ranks them, what the tests say, and the choices shown first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from benchmark.analysis.endpoints import deployable_protocols, healthy_protocols, pipelines
from benchmark.metrics import METRICS
from benchmark.statistics.intervals.coverage import is_short
from benchmark.statistics.pairwise.paired_difference import ALONE
from benchmark.statistics.panel import TRAINED_MODEL, TRAINING_PROCEDURE
from benchmark.statistics.primary_endpoint import EXPLORATORY, Endpoint, read_endpoint
from benchmark.study.protocols import USES, protocol_named
from reports.markup.markdown import MISSING, escape
from reports.model.cohort_results import CohortResults, best_first, question_of
from reports.model.run_results import RunResults
from reports.model.summary import domain_of

OPEN, ONLY_WEIGHTS, SHORT = "\N{DAGGER}", "w", "\N{DOUBLE DAGGER}"
"""Marks: not shown to be worse than the best; an interval of the weights alone; an interval that covers too little."""


@dataclass(frozen=True)
class Ranking:
    """Lines of `summary.csv` of one cohort, and of `comparisons.csv` under the same choice.

    Attributes:
        lines: of both questions.
        pairs: of both questions.
        question: the one that ranks are of: *this recipe* where any pair of recipes can be tested.
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
        """The threshold, or the pipeline where none enters, as Markdown."""
        return f"`{escape(self.first['protocol'] or self.first['postprocessing'])}`"

    @property
    def methods(self) -> list[str]:
        """In the study's order, those that use lesion labels last."""
        return list(dict.fromkeys(self.lines["method"]))

    @property
    def ranks(self) -> Mapping[str, tuple[int, int]]:
        """Rank sets of the methods that have one, best first."""
        own = self.lines[(self.lines["question"] == self.question) & self.lines["rank_low"].notna()]
        ordered = best_first(own)
        named = zip(ordered["method"], ordered["rank_low"], ordered["rank_high"], strict=True)
        return {method: (int(low), int(high)) for method, low, high in named}

    @property
    def leader(self) -> str:
        """The first of those with a rank; "" without any."""
        return next(iter(self.ranks), "")

    def line(self, method: str, question: str | None = None) -> "pd.Series[Any]":
        own = self.lines[(self.lines["method"] == method) & (self.lines["question"] == (question or self.question))]
        return own.iloc[0]

    def rank_text(self, method: str) -> str:
        if method not in self.ranks:
            return MISSING
        low, high = self.ranks[method]
        return str(low) if low == high else f"{low}-{high}"

    def interval_text(self, method: str) -> str:
        """The ends, of the weights alone where the recipe has none; flagged where such intervals cover too little."""
        for question in dict.fromkeys((self.question, TRAINED_MODEL)):
            one = self.line(method, question)
            if not isnan(one["low"]):
                mark = f" {ONLY_WEIGHTS}" if question != self.question else ""
                mark += f" {SHORT}" if is_short(one["coverage"]) else ""
                return f"{one['low']:.3f} to {one['high']:.3f}{mark}"
        return MISSING

    def state(self, a: str, b: str, question: str | None = None) -> str:
        """What is shown of `a` against `b`: better, worse, equivalent, not separable or not testable.

        "here" is added to what holds under this endpoint of the cohort's two alone.
        """
        one = self.pair(a, b, question)
        if one is None:
            return "not testable"
        state = str(one["state"])
        here = " here" if state in ALONE.values() else ""
        if one["better"]:
            return ("better" if one["better"] == a else "worse") + here
        return f"equivalent{here}" if state.startswith("equivalent") else state

    def effect(self, a: str, b: str, question: str | None = None) -> float:
        """Mean paired difference a - b; NaN without one."""
        one = self.pair(a, b, question)
        if one is None:
            return float("nan")
        return float(one["difference"]) if one["a"] == a else -float(one["difference"])

    def pair(self, a: str, b: str, question: str | None = None) -> "pd.Series[Any] | None":
        of = self.pairs[self.pairs["question"] == (question or self.question)]
        found = of[((of["a"] == a) & (of["b"] == b)) | ((of["a"] == b) & (of["b"] == a))]
        return None if found.empty else found.iloc[0]

    def better_here(self) -> list[tuple[str, str]]:
        """The pairs, the better one first, that are told apart under this endpoint of two alone."""
        own = self.pairs[(self.pairs["question"] == self.question) & (self.pairs["state"] == ALONE["better"])]
        return [(one["better"], one["b"] if one["better"] == one["a"] else one["a"]) for _, one in own.iterrows()]

    def open_to(self, method: str) -> bool:
        """Whether a method that is not the leader is not shown to differ from it."""
        if method == self.leader or method not in self.ranks:
            return False
        return not self.state(self.leader, method).startswith(("better", "worse"))


def rankings_of(results: RunResults, cohort: str) -> list[Ranking]:
    """Under each endpoint of a cohort, the first first; [] where no method has a number, or nothing is summarised."""
    lines = results.summary.standings
    lines = lines[(lines["dataset"] == cohort) & (lines["decides"] > 0)]
    return [_ranking(results, own) for _, own in lines.groupby("decides")]


def ranking_of(results: RunResults, cohort: str) -> Ranking | None:
    """Under the first endpoint, which orders all tables; None without any."""
    return next(iter(rankings_of(results, cohort)), None)


def ranking_under(results: RunResults, cohort: str, metric: str, pipeline: str, protocol: str) -> Ranking | None:
    """The same under another choice that is summarised."""
    lines = results.summary.standings
    chosen = (lines["dataset"] == cohort) & (lines["metric"] == metric)
    lines = lines[chosen & (lines["postprocessing"] == pipeline) & (lines["protocol"] == protocol)]
    return None if lines.empty else _ranking(results, lines)


def _ranking(results: RunResults, lines: pd.DataFrame) -> Ranking:
    first, pairs = lines.iloc[0], results.summary.comparisons
    for column in ("dataset", "metric", "postprocessing", "protocol", "split"):
        pairs = pairs[pairs[column] == first[column]]
    return Ranking(lines, pairs, question_of(lines))


@dataclass(frozen=True)
class Headline:
    """Of one of a cohort's first tables.

    Attributes:
        metric: the endpoint's.
        protocol: "" where no threshold that could be deployed was asked for.
        why: the choice and its reason, as Markdown.
    """

    metric: str
    pipeline: str
    protocol: str
    why: str


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
        why = f"Post-processing `{pipeline}`; no threshold that could be deployed was asked for."
        return Headline(endpoint.metric, pipeline, "", why)
    why = f"Post-processing `{pipeline}`, threshold `{protocol}`: {protocol_named(protocol).what}."
    if (pipeline, endpoint.protocol) not in shown and endpoint.protocol in deployable:
        why += f" The first endpoint's, `{endpoint.protocol}`, is {_why_absent(cohort, pipeline, endpoint.protocol)}."
    return Headline(endpoint.metric, pipeline, protocol, why)


def _why_absent(cohort: CohortResults, pipeline: str, protocol: str) -> str:
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


MOST_NAMED = 4


def answer(cohort: CohortResults, rankings: Sequence[Ranking]) -> str:
    """Where the leader differs between endpoints, who may be first, and whether simple baselines are beaten."""
    first = rankings[0]
    if not first.ranks:
        return "" if cohort.caution else f"No pair can be tested: {escape(_why_none(first))}."
    parts = (_leaders(rankings), _first(rankings), _against_baselines(cohort, first), _alone(rankings),
             _only_endpoint(cohort, rankings))  # fmt: skip
    return " ".join(filter(None, parts))


def choice_text(ranking: Ranking) -> str:
    """What the numbers are of, and whether it was fixed beforehand."""
    one = ranking.first
    parts = [METRICS[one["metric"]].title]
    parts += [f"post-processing `{one['postprocessing']}`"] if one["postprocessing"] else []
    parts += [f"threshold `{escape(one['protocol'])}`"] if one["protocol"] else []
    standing = one["endpoint"] if one["endpoint"] == EXPLORATORY else f"{one['endpoint']} endpoint"
    return f"{', '.join(parts)} ({standing})" + (f"; ranks of *{ranking.question}*" if ranking.ranks else "")


def _leaders(rankings: Sequence[Ranking]) -> str:
    """Who leads under which endpoint; "" where it is the same method."""
    if len({one.leader for one in rankings}) == 1:
        return ""
    named = [f"**{escape(one.leader)}** under {one.under}" for one in rankings if one.leader]
    return f"The leader differs between the endpoints: {', '.join(named)}."


def _first(rankings: Sequence[Ranking]) -> str:
    first = rankings[0]
    for method in first.ranks:
        others = [name for name in first.ranks if name != method]
        if others and all(first.state(method, other) == "better" for other in others):
            both = " under both endpoints" if len(rankings) > 1 else ""
            return f"**{escape(method)}** is shown to be better than each of the {len(others)} others{both}."
    told = {one.under: _may_lead(one) for one in rankings if one.ranks}
    if len(set(told.values())) == 1:
        return f"{told[first.under]}."
    return " ".join(f"Under {under}: {text}." for under, text in told.items())


def _may_lead(ranking: Ranking) -> str:
    """Whom its rank sets leave the first place."""
    may_lead = [method for method, (low, _) in ranking.ranks.items() if low == 1]
    count = len(ranking.ranks)
    if len(may_lead) == count:
        return f"Nothing is shown to be best or worst: each of {count} methods may be first"
    if len(may_lead) == 1:
        return f"{_listed(may_lead)} is first"
    return f"{_listed(may_lead)} may each be first; the other {count - len(may_lead)} may not"


def _alone(rankings: Sequence[Ranking]) -> str:
    """How many pairs are told apart under one endpoint alone."""
    counts = {one.under: len(one.better_here()) for one in rankings}
    told = [f"{count} pair{'s' * (count != 1)} under {under} only" for under, count in counts.items() if count]
    return f"Told apart under one endpoint alone, which is no claim of better: {', '.join(told)}." if told else ""


def _only_endpoint(cohort: CohortResults, rankings: Sequence[Ranking]) -> str:
    """Which endpoint a cohort has where it has not all of the release's, and why."""
    one, endpoint = rankings[0].first, read_endpoint()
    if one["endpoint"] == EXPLORATORY or len(rankings) == len(endpoint.protocols):
        return ""
    absent = [name for name in endpoint.protocols if name != one["protocol"]]
    reasons = ", ".join(f"`{name}` is {_why_absent(cohort, one['postprocessing'], name)}" for name in absent)
    return f"One endpoint alone, {rankings[0].under}: {reasons}."


def _against_baselines(cohort: CohortResults, ranking: Ranking) -> str:
    """Which methods are shown to beat every simple baseline; "" where there are none or nothing else."""
    baselines = [method for method in ranking.ranks if method in cohort.simple_baselines]
    others = [method for method in ranking.ranks if method not in cohort.simple_baselines]
    if not baselines or not others:
        return ""
    winners = [name for name in others if all(ranking.state(name, one) == "better" for one in baselines)]
    if winners:
        return f"Shown to beat every simple baseline: {_listed(winners)}."
    return f"No method ({len(others)} of them) is shown to beat every simple baseline."


def _listed(names: Sequence[str]) -> str:
    """At most a few by name."""
    shown = [f"**{escape(name)}**" for name in names[:MOST_NAMED]]
    more = len(names) - len(shown)
    if more:
        return f"{', '.join(shown)} and {more} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def _why_none(ranking: Ranking) -> str:
    known = ranking.lines[ranking.lines["question"] != TRAINING_PROCEDURE]["why_none"]
    return next((why for why in known if why), "fewer than two methods have numbers")

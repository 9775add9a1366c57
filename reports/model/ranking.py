"""Decided: one cohort's methods under the choice that they are ranked by, and what the tests say of every pair."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from typing import Any

import pandas as pd

from benchmark.statistics.intervals.coverage import is_short
from reports.markup.markdown import MISSING
from reports.model.run_results import Findings

RECIPE, WEIGHTS = "this recipe", "these weights"
OPEN, ONLY_WEIGHTS, SHORT = "\N{DAGGER}", "w", "\N{DOUBLE DAGGER}"
"""Marks: not shown to be worse than the best; an interval of the weights alone; an interval that covers too little."""


@dataclass(frozen=True)
class Decided:
    """Lines of `standings.csv` of one cohort, and of `comparisons.csv` under the same choice.

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
    def primary(self) -> bool:
        return bool(self.first["endpoint"] == "primary")

    @property
    def methods(self) -> list[str]:
        """In the study's order, those that use lesion labels last."""
        return list(dict.fromkeys(self.lines["method"]))

    @property
    def ranks(self) -> Mapping[str, tuple[int, int]]:
        """Rank sets of the methods that have one, best first."""
        own = self.lines[(self.lines["question"] == self.question) & self.lines["rank_low"].notna()]
        ordered = own.sort_values(["rank_low", "rank_high", "mean"], ascending=[True, True, False], kind="stable")
        named = zip(ordered["method"], ordered["rank_low"], ordered["rank_high"], strict=True)
        return {method: (int(low), int(high)) for method, low, high in named}

    @property
    def leader(self) -> str:
        """The method of the highest mean among those with a rank; "" without any."""
        means = {method: self.line(method)["mean"] for method in self.ranks}
        return max(means, key=lambda method: means[method]) if means else ""

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
        for question in dict.fromkeys((self.question, WEIGHTS)):
            one = self.line(method, question)
            if not isnan(one["low"]):
                mark = f" {ONLY_WEIGHTS}" if question != self.question else ""
                mark += f" {SHORT}" if is_short(one["coverage"]) else ""
                return f"{one['low']:.3f} to {one['high']:.3f}{mark}"
        return MISSING

    def state(self, a: str, b: str, question: str | None = None) -> str:
        """What is shown of `a` against `b`: better, worse, equivalent, not separable or not testable."""
        one = self.pair(a, b, question)
        if one is None:
            return "not testable"
        if one["state"] != "better":
            return str(one["state"])
        return "better" if one["better"] == a else "worse"

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

    def open_to(self, method: str) -> bool:
        """Whether a method that is not the leader is not shown to differ from it."""
        if method == self.leader or method not in self.ranks:
            return False
        return self.state(self.leader, method) in ("not separable", "equivalent", "not testable")


def decided(findings: Findings, cohort: str) -> Decided | None:
    """None where no method has a Dice under a threshold that could be deployed, or nothing is summarised."""
    lines = findings.standings
    lines = lines[(lines["dataset"] == cohort) & (lines["decides"] == 1)]
    return None if lines.empty else _decided(findings, lines)


def under(findings: Findings, cohort: str, metric: str, chain: str, protocol: str) -> Decided | None:
    """The same under another choice that is summarised."""
    lines = findings.standings
    chosen = (lines["dataset"] == cohort) & (lines["metric"] == metric)
    lines = lines[chosen & (lines["postprocessing"] == chain) & (lines["protocol"] == protocol)]
    return None if lines.empty else _decided(findings, lines)


def _decided(findings: Findings, lines: pd.DataFrame) -> Decided:
    first, pairs = lines.iloc[0], findings.comparisons
    for column in ("dataset", "metric", "postprocessing", "protocol", "split"):
        pairs = pairs[pairs[column] == first[column]]
    ranked = lines[lines["rank_low"].notna()]
    recipe = (ranked["question"] == RECIPE).any()
    return Decided(lines, pairs, RECIPE if recipe else WEIGHTS)

"""Verdict: what a cohort's endpoints allow to say of its methods, and the sentences that say it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isnan

from benchmark.metrics import METRICS
from benchmark.statistics.panel import FEWEST_SEEDS, TRAINING_PROCEDURE
from benchmark.statistics.primary_endpoint import EXPLORATORY, read_endpoint
from benchmark.storage.fits import LABELS
from datasets.words import count_text
from reports.content.text import Text, as_text, joined, prose, strong
from reports.model.cohort_results import CohortResults, best_first
from reports.model.ranking import Ranking, why_absent

MOST_NAMED = 4


@dataclass(frozen=True)
class Verdict:
    """What is known of one cohort under its endpoints.

    Attributes:
        leader: the best mean at the first endpoint of all methods that do not stand aside; "" where none has a number.
        contenders: whom the tests leave the first place, in the order of the means.
        best: whether the leader is shown to be better than each other ranked method, under all endpoints.
        baselines, others: ranked simple baselines, and ranked methods that are none.
        beating: those of the others that are shown to be better than every simple baseline.
        unranked: why a method has no rank.
        elsewhere: the ranked method with the best mean under each further endpoint.
    """

    first: Ranking
    leader: str
    contenders: Sequence[str]
    best: bool
    baselines: Sequence[str]
    others: Sequence[str]
    beating: Sequence[str]
    unranked: Mapping[str, str]
    elsewhere: Mapping[str, str]

    @property
    def sentences(self) -> Text:
        """Who leads, who may be first, whether simple baselines are beaten, and what is not ranked and why."""
        return joined([self._leads(), self._against_baselines(), self._not_ranked(), self._other_endpoints()])

    def _leads(self) -> Text:
        if not self.leader:
            return as_text("No method has a number.")
        number = self._number(self.leader)
        if self.leader in self.unranked:
            reason = self.unranked[self.leader]
            told = prose("**{}** has the best mean, {}, but is not ranked: {}.", self.leader, number, reason)
            return joined([told, self._may_be_first()])
        if self.best:
            rest = [name for name in self.first.ranks if name != self.leader]
            beaten = rest[0] if len(rest) == 1 else f"each of the {count_text(len(rest), 'other ranked method')}"
            return prose("**{}** leads, {}: shown to be better than {}.", self.leader, number, beaten)
        if self.leader in self.contenders and len(self.contenders) > 1:
            rest = [name for name in self.contenders if name != self.leader]
            if len(self.contenders) == len(self.first.ranks):
                told = prose("**{}** has the best mean, {}, but", self.leader, number)
                return told + f" each of the {count_text(len(self.first.ranks), 'ranked method')} may be first."
            return prose("**{}** has the best mean, {}; {} may be first too.", self.leader, number, listed(rest))
        return joined([prose("**{}** has the best mean, {}.", self.leader, number), self._may_be_first()])

    def _may_be_first(self) -> Text:
        if not self.contenders:
            return Text()
        if len(self.contenders) == len(self.first.ranks):
            return as_text(f"Each of the {count_text(len(self.contenders), 'ranked method')} may be first.")
        return prose("The tests leave the first place to {}.", listed(self.contenders))

    def _number(self, method: str) -> str:
        mean = float(self.first.line(method)["mean"])
        low, high, _ = self.first.interval(method)
        ends = "" if isnan(low) else f" ({100 * self.first.first['level']:.0f} % {low:.3f} to {high:.3f})"
        return f"{METRICS[self.first.first['metric']].title} {mean:.3f}{ends}"

    def _against_baselines(self) -> Text:
        if not self.baselines or not self.others:
            return Text()
        if self.beating:
            return prose("Shown to beat every simple baseline: {}.", listed(self.beating))
        count = len(self.others)
        if count == 1:
            return prose("**{}** is not shown to beat every simple baseline.", self.others[0])
        return as_text(f"None of the {count} other methods is shown to beat every simple baseline.")

    def _not_ranked(self) -> Text:
        """Every method without a rank, those with the same reason together."""
        reasons: dict[str, list[str]] = {}
        for method, reason in self.unranked.items():
            if method != self.leader:
                reasons.setdefault(reason, []).append(method)
        told = [prose("{} ({})", listed(names, len(names)), reason) for reason, names in reasons.items()]
        return prose("Not ranked: {}.", joined(told, "; ")) if told else Text()

    def _other_endpoints(self) -> Text:
        told = [
            prose("Under `{}` the best mean is **{}**'s.", under, method)
            for under, method in self.elsewhere.items()
            if method != self.first.leader
        ]
        return joined(told)


def verdict_of(cohort: CohortResults, rankings: Sequence[Ranking]) -> Verdict:
    """Of the endpoints of a cohort, at least one."""
    first = rankings[0]
    ranks = first.ranks
    means = best_first(first.lines[first.lines["mean"].notna()].drop_duplicates("method"))["method"]
    rivals = [method for method in means if method not in cohort.aside]
    baselines = [name for name in ranks if name in cohort.simple_baselines]
    others = [name for name in ranks if name not in cohort.simple_baselines]
    leader = next(iter(rivals), "")
    rest = [name for name in ranks if name != leader]
    return Verdict(
        first=first,
        leader=leader,
        contenders=[name for name, (low, _) in ranks.items() if low == 1],
        best=leader in ranks and bool(rest) and all(first.state(leader, one) == "better" for one in rest),
        baselines=baselines,
        others=others,
        beating=[name for name in others if baselines and all(first.state(name, one) == "better" for one in baselines)],
        unranked=dict(_unranked(cohort, first)),
        elsewhere={one.under: one.leader for one in rankings[1:] if one.leader},
    )


def verdict_text(cohort: CohortResults, rankings: Sequence[Ranking]) -> Text:
    """The sentences of a cohort; empty where nothing is tested and the cohort's caution says so."""
    if not rankings[0].ranks and cohort.caution:
        return Text()
    return joined([verdict_of(cohort, rankings).sentences, _alone(rankings), _only_endpoint(cohort, rankings)])


def _unranked(cohort: CohortResults, first: Ranking) -> Iterator[tuple[str, str]]:
    for method in cohort.seeds:
        if method in first.ranks:
            continue
        known = method in first.methods
        line = first.line(method) if known else None
        if method in cohort.labelled:
            yield method, f"uses {LABELS}"
        elif method in cohort.transductive:
            yield method, "transductive"
        elif line is None or isnan(line["mean"]):
            yield method, "no number at this endpoint"
        elif first.question == TRAINING_PROCEDURE and line["seeds"] < FEWEST_SEEDS:
            seeds = "one training seed" if line["seeds"] == 1 else count_text(int(line["seeds"]), "training seed")
            yield method, f"{seeds}, so nothing is claimed of its training procedure"
        else:
            yield method, str(line["unranked"] or line["why_none"]) or "no other method to be tested against"


def _alone(rankings: Sequence[Ranking]) -> Text:
    """How many pairs are told apart under one endpoint alone."""
    counts = {one.under: len(one.better_here()) for one in rankings}
    told = [
        prose("{} pair{} under `{}` only", count, "s" * (count != 1), under) for under, count in counts.items() if count
    ]
    said = prose("Told apart under one endpoint alone, which is no claim of better: {}.", joined(told, ", "))
    return said if told else Text()


def _only_endpoint(cohort: CohortResults, rankings: Sequence[Ranking]) -> Text:
    """Which endpoint a cohort has where it has not all of the release's, and why."""
    one, endpoint = rankings[0].first, read_endpoint()
    if one["endpoint"] == EXPLORATORY or len(rankings) == len(endpoint.protocols):
        return Text()
    absent = [name for name in endpoint.protocols if name != one["protocol"]]
    reasons = [prose("`{}` is {}", name, why_absent(cohort, one["postprocessing"], name)) for name in absent]
    return prose("One endpoint alone, `{}`: {}.", rankings[0].under, joined(reasons, ", "))


def listed(names: Sequence[str], most: int = MOST_NAMED) -> Text:
    """At most a few by name."""
    shown = [strong(name) for name in names[:most]]
    more = len(names) - len(shown)
    if more:
        return joined(shown, ", ") + f" and {more} more"
    return joined([joined(shown[:-1], ", "), shown[-1]], " and ") if len(shown) > 1 else joined(shown)

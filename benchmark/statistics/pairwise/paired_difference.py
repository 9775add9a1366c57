"""Comparison: what one pair of methods gives for one question, corrected for all pairs of its cohort."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import ceil
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import METRICS
from benchmark.statistics.intervals.crossed_effects import crossed_mean
from benchmark.statistics.intervals.mean import TOO_ALIKE, Interval, alike, intervals, limits
from benchmark.statistics.pairing import Pair, pair
from benchmark.statistics.pairwise import generalised_p as generalised
from benchmark.statistics.pairwise.equivalence import equivalence_p
from benchmark.statistics.pairwise.multiple_testing import holm, of_the_winner
from benchmark.statistics.pairwise.permutation import SignFlips, sign_flips, unpaired_permutation_p
from benchmark.statistics.pairwise.power import detectable, detectable_procedure
from benchmark.statistics.panel import LOGGED, TRAINED_MODEL, Choice, Panel, Question
from benchmark.statistics.primary_endpoint import Endpoint

Values = NDArray[np.float64]
State = Literal[
    "better", "equivalent", "better under one endpoint", "equivalent under one endpoint", "not separable",
    "not testable",
]  # fmt: skip
ALONE: Mapping[State, State] = {
    "better": "better under one endpoint",
    "equivalent": "equivalent under one endpoint",
}
"""What a claim is called that holds under one of a cohort's two endpoints."""
AT_ONCE = 32
"""Pairs whose draws are held in memory together."""


class Tested(NamedTuple):
    """How pairs were tested for one question; every array is `(pairs,)`, NaN where not testable.

    Attributes:
        p, equivalent, one_sided: of each pair by itself; `equivalent` is NaN without a margin.
        adjusted, equivalent_adjusted: corrected over the pairs of one endpoint.
        adjusted_alone, equivalent_adjusted_alone: corrected over the pairs of all endpoints of the cohort.
        test: its name, as a reader should see it.
        correction: how the corrected ones came about.
    """

    p: Values
    adjusted: Values
    adjusted_alone: Values
    equivalent: Values
    equivalent_adjusted: Values
    equivalent_adjusted_alone: Values
    one_sided: Values
    test: str
    correction: str


@dataclass(frozen=True)
class Comparison:
    """One pair under one question.

    Attributes:
        endpoint: "first", "second" or "exploratory".
        endpoints: how many the cohort has; 1 for a choice that is none of several.
        effect: mean paired difference a - b with its interval, which is of this pair alone.
        se: standard error of the effect under the question.
        sd: of the patients' differences, seeds averaged.
        left_out: patients without a number under some seed.
        comparisons: pairs that the correction is over.
        p, p_adjusted: two-sided, by itself and corrected over the pairs; NaN where not testable.
        p_alone, p_equivalent_alone: corrected over the pairs of all the cohort's endpoints, which a claim under this
            one alone needs.
        state: what is claimed. Where the cohort has two endpoints, "better" and "equivalent" hold under both.
        margin: None where none was fixed in advance.
        detectable: minimum detectable effect of this pair at the corrected level.
        p_false_claim: one-sided, that the method that looks better is not; no probability of a hypothesis.
        p_false_claim_winner: the same corrected for having picked the best of `methods` by these data.
        p_published: of the unpaired permutation test; for comparison only.
    """

    choice: Choice
    endpoint: str
    endpoints: int
    question: Question
    a: str
    b: str
    effect: Interval
    se: float
    sd: float
    left_out: int
    seeds: tuple[int, ...]
    left_out_seeds: tuple[int, ...]
    test: str
    correction: str
    comparisons: int
    methods: int
    alpha: float
    power: float
    p: float
    p_adjusted: float
    p_alone: float
    margin: float | None
    p_equivalent: float
    p_equivalent_adjusted: float
    p_equivalent_alone: float
    state: State
    detectable: float
    p_false_claim: float
    p_false_claim_winner: float
    p_published: float

    @property
    def n(self) -> int:
        return self.effect.n

    def seen_from(self, a: str) -> "Comparison":
        """The same with `a` first, differences being a - b."""
        if a == self.a:
            return self
        old = self.effect
        effect = replace(old, mean=-old.mean, low=-old.high, high=-old.low)
        return replace(self, a=self.b, b=self.a, effect=effect)

    @property
    def ahead(self) -> str:
        """The method that looks better, whether or not anything is shown; "" where none does."""
        higher = True if self.choice.metric in LOGGED else METRICS[self.choice.metric].higher_is_better
        if higher is None or not abs(self.effect.mean) > 0:
            return ""
        return self.a if (self.effect.mean > 0) == higher else self.b

    @property
    def better(self) -> str:
        """The better method where one is claimed to be, if under one endpoint alone; else ""."""
        return self.ahead if self.state in ("better", ALONE["better"]) else ""

    @property
    def has_interval(self) -> bool:
        """Whether the data have spread enough for any claim."""
        return not np.isnan(self.effect.low)


def compare_all(
    panels: Mapping[str, Panel], choice: Choice, question: Question, endpoint: Endpoint, *, seed: int = 0
) -> list[Comparison]:
    """Every pair of a cohort's methods under one choice, in the order of the panels.

    Args:
        panels: over the same patients.
        seed: of the random sign flips and resamples.
    """
    return compare_endpoints({choice: panels}, question, endpoint, seed=seed)[choice]


def compare_endpoints(
    panels: Mapping[Choice, Mapping[str, Panel]], question: Question, endpoint: Endpoint, *, seed: int = 0
) -> dict[Choice, list[Comparison]]:
    """Every pair under each of a cohort's endpoints, with what is claimed of it under all of them.

    A claim needs every endpoint, each corrected over the cohort's pairs (intersection-union, Berger, Technometrics 24
    (1982) 295-300); what holds under one alone is claimed as such, corrected over the pairs of all endpoints.

    Args:
        panels: under each endpoint, over the same patients.
    """
    pairs = {choice: [pair(own[a], own[b]) for a, b in combinations(own, 2)] for choice, own in panels.items()}
    effects = {
        choice: intervals(
            [one.differences for one in own], question, "difference", alpha=endpoint.alpha,
            within=limits(choice.metric, "difference"), seed=seed,
        )
        for choice, own in pairs.items()
    }  # fmt: skip
    tests = _of_model if question == TRAINED_MODEL else _of_procedure
    tested = tests(panels, pairs, effects, endpoint, seed)
    published = {choice: _published(own) for choice, own in pairs.items()}
    reaches = {choice: _reaches(own, tested[choice], question, endpoint) for choice, own in pairs.items()}
    found = {
        choice: [
            _comparison(
                one, effects[choice][index], tested[choice], index, choice, question, endpoint, panels,
                float(published[choice][index]), *reaches[choice][:, index].tolist(),
            )
            for index, one in enumerate(own)
        ]
        for choice, own in pairs.items()
    }  # fmt: skip
    same = defaultdict[tuple[str, str], list[Comparison]](list)
    for own in found.values():
        for one in own:
            same[one.a, one.b].append(one)
    return {choice: [_claimed(one, same[one.a, one.b], len(found)) for one in own] for choice, own in found.items()}


Family = Mapping[Choice, Sequence[Pair]]
Effects = Mapping[Choice, Sequence[Interval]]


def _of_model(
    panels: Mapping[Choice, Mapping[str, Panel]], pairs: Family, effects: Effects, endpoint: Endpoint, seed: int
) -> dict[Choice, Tested]:
    patients = sorted({name for own in panels.values() for panel in own.values() for name in panel.patients})
    columns = {choice: np.flatnonzero(_testable(effects[choice])) for choice in pairs}
    tables = {choice: _by_patient(pairs[choice], panels[choice], patients)[:, columns[choice]] for choice in pairs}
    flips = {choice: _flips(table, endpoint, seed) for choice, table in tables.items()}
    whole = _flips(np.hstack(list(tables.values())), endpoint, seed) if len(pairs) > 1 else None
    found, start = dict[Choice, Tested](), 0
    for choice, own in pairs.items():
        p, adjusted, alone, one_sided, equivalent = (np.full(len(own), np.nan) for _ in range(5))
        tested, test, margin = columns[choice], "none", endpoint.margin(choice.metric)
        if (flip := flips[choice]) is not None:
            how = f"all {flip.rounds:,} flips" if flip.exact else f"{flip.rounds:,} random flips"
            test = f"paired sign-flip permutation over patients ({how})"
            p[tested], adjusted[tested] = flip.p, flip.adjusted
            alone[tested] = flip.adjusted if whole is None else whole.adjusted[start : start + tested.size]
            start += tested.size
        for places, values in _stacked([one.by_patient for one in own], tested):
            one_sided[places] = _t_p(np.abs(values.mean(axis=1)), values)
            if margin is not None:
                equivalent[places] = equivalence_p(values, margin, limits(choice.metric, "difference")[1])
        found[choice] = Tested(p, adjusted, alone, equivalent, holm(equivalent), equivalent, one_sided, test,
                               "max-T step-down")  # fmt: skip
    return _equivalent_alone(found)


def _of_procedure(
    panels: Mapping[Choice, Mapping[str, Panel]], pairs: Family, effects: Effects, endpoint: Endpoint, seed: int
) -> dict[Choice, Tested]:
    found, test = dict[Choice, Tested](), "generalised p-value, patients x training seeds crossed"
    for choice, own in pairs.items():
        p, equivalent = (np.full(len(own), np.nan) for _ in range(2))
        margin = endpoint.margin(choice.metric)
        tested = np.flatnonzero(_testable(effects[choice]))
        for places, values in _stacked([one.differences for one in own], tested):
            p[places] = generalised.two_sided_p(values)
            if margin is not None:
                sides = generalised.one_sided_p(values, -margin), generalised.one_sided_p(-values, -margin)
                # Seeds are few and about normal; of patients nothing is assumed but the bound.
                patients = equivalence_p(values.mean(axis=2), margin, limits(choice.metric, "difference")[1])
                equivalent[places] = np.max([*sides, patients], axis=0)
        found[choice] = Tested(p, holm(p), p, equivalent, holm(equivalent), equivalent, p / 2, test, "Holm")
    alone = np.split(holm(np.concatenate([one.p for one in found.values()])), _ends(found))
    found = {
        choice: one._replace(adjusted_alone=part) for (choice, one), part in zip(found.items(), alone, strict=True)
    }
    return _equivalent_alone(found)


def _equivalent_alone(found: Mapping[Choice, Tested]) -> dict[Choice, Tested]:
    """The same with equivalence corrected over the pairs of all endpoints."""
    parts = np.split(holm(np.concatenate([one.equivalent for one in found.values()])), _ends(found))
    return {
        choice: one._replace(equivalent_adjusted_alone=part)
        for (choice, one), part in zip(found.items(), parts, strict=True)
    }


def _ends(found: Mapping[Choice, Tested]) -> NDArray[np.intp]:
    """Where one endpoint's pairs end and the next one's begin."""
    return np.cumsum([one.p.size for one in found.values()])[:-1]


def _testable(effects: Sequence[Interval]) -> NDArray[np.bool_]:
    return np.array([not one.why_none or one.why_none == TOO_ALIKE for one in effects], dtype=bool)


def _flips(table: Values, endpoint: Endpoint, seed: int) -> SignFlips | None:
    """Sign flips of `(patients, pairs)`; None without a pair. A seed draws the same signs for the same patients."""
    return sign_flips(table, seed=seed, alpha=endpoint.alpha) if table.shape[1] else None


def _by_patient(pairs: Sequence[Pair], panels: Mapping[str, Panel], patients: Sequence[str]) -> Values:
    """`(patients, pairs)`; NaN where a pair lacks a patient."""
    table, places = np.full((len(patients), len(pairs)), np.nan), {name: place for place, name in enumerate(patients)}
    own = np.array([places[name] for name in next(iter(panels.values())).patients] if panels else [], dtype=np.intp)
    for column, one in enumerate(pairs):
        table[own[one.kept], column] = one.by_patient
    return table


def _stacked(values: Sequence[Values], chosen: NDArray[np.intp]) -> Iterator[tuple[NDArray[np.intp], Values]]:
    """The chosen ones of equal shape together, a few at a time: their places, and `(k, ...)` the values."""
    for places in alike(values, chosen):
        for part in np.array_split(places, ceil(len(places) / AT_ONCE)):
            yield part, np.stack([values[place] for place in part])


def _t_p(distance: Values, values: Values) -> Values:
    """`(m,)` one-sided p-values of means of `(m, n)` that are `distance` on the right side of a border."""
    from scipy.stats import t

    n = values.shape[1]
    se = values.std(axis=1, ddof=1) / np.sqrt(n)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = t.sf(distance / se, n - 1)
    return np.asarray(np.where(se == 0, np.where(distance == 0, 0.5, distance < 0), p))


def _comparison(
    one: Pair,
    effect: Interval,
    tested: Tested,
    index: int,
    choice: Choice,
    question: Question,
    endpoint: Endpoint,
    panels: Mapping[Choice, Mapping[str, Panel]],
    published: float,
    se: float,
    smallest: float,
) -> Comparison:
    """The pair with the state that this choice alone gives it."""
    count, methods = int((~np.isnan(tested.p)).sum()), len(panels[choice])
    margin, p = endpoint.margin(choice.metric), float(tested.adjusted[index])
    state = _state(p, float(tested.equivalent_adjusted[index]), effect, endpoint.alpha, margin)
    return Comparison(
        choice=choice,
        endpoint=endpoint.rank_of(choice),
        endpoints=len(panels),
        question=question,
        a=one.name_a,
        b=one.name_b,
        effect=effect,
        se=se,
        sd=one.sd,
        left_out=one.left_out,
        seeds=one.seeds,
        left_out_seeds=one.left_out_seeds,
        test=tested.test,
        correction=tested.correction,
        comparisons=count,
        methods=methods,
        alpha=endpoint.alpha,
        power=endpoint.power,
        p=float(tested.p[index]),
        p_adjusted=p,
        p_alone=float(tested.adjusted_alone[index]),
        margin=margin,
        p_equivalent=float(tested.equivalent[index]),
        p_equivalent_adjusted=float(tested.equivalent_adjusted[index]),
        p_equivalent_alone=float(tested.equivalent_adjusted_alone[index]),
        state=state,
        detectable=np.nan if np.isnan(effect.low) else smallest,
        p_false_claim=float(tested.one_sided[index]),
        p_false_claim_winner=of_the_winner(float(tested.one_sided[index]), methods),
        p_published=published if state != "not testable" else np.nan,
    )


def _state(p: float, p_equivalent: float, effect: Interval, alpha: float, margin: float | None) -> State:
    """A difference inside the margin is equivalence even where it is surely not 0: nobody would act on it.

    Without an interval nothing is claimed, and equivalence needs one within the margin.
    """
    if np.isnan(p):
        return "not testable"
    if np.isnan(effect.low):
        return "not separable"
    if margin is not None and p_equivalent <= alpha and -margin <= effect.low and effect.high <= margin:
        return "equivalent"
    return "better" if p <= alpha else "not separable"


def _claimed(one: Comparison, same: Sequence[Comparison], endpoints: int) -> Comparison:
    """The same with the state that all endpoints together give it; `same` are the pair's under each."""
    together = len(same) == endpoints and all(other.state == one.state for other in same)
    if one.state == "not testable" or (together and (one.state != "better" or len({o.ahead for o in same}) == 1)):
        return one
    alone = _state(one.p_alone, one.p_equivalent_alone, one.effect, one.alpha, one.margin)
    return replace(one, state=ALONE.get(alone, "not separable"))


def _reaches(pairs: Sequence[Pair], tested: Tested, question: Question, endpoint: Endpoint) -> Values:
    """`(2, pairs)` standard errors of the effects, and minimum detectable effects at Bonferroni's level.

    NaN where a pair cannot be tested.
    """
    found, testable = np.full((2, len(pairs)), np.nan), np.flatnonzero(~np.isnan(tested.adjusted))
    alpha = endpoint.alpha / max(testable.size, 1)
    if question == TRAINED_MODEL:
        for place in testable.tolist():
            one = pairs[place]
            found[:, place] = one.sd / np.sqrt(one.n), detectable(one.sd, one.n, alpha=alpha, power=endpoint.power)
        return found
    for places, values in _stacked([one.differences for one in pairs], testable):
        se, widths = crossed_mean(values).se, generalised.half_widths(values, alpha)
        found[:, places] = se, detectable_procedure(widths, se, power=endpoint.power)
    return found


def _published(pairs: Sequence[Pair]) -> Values:
    """Of each pair the p-value of the unpaired test; NaN where the two have no patient in common."""
    found = np.full(len(pairs), np.nan)
    for size in {one.n for one in pairs} - {0}:
        places = [place for place, one in enumerate(pairs) if one.n == size]
        a, b = (np.stack([getattr(pairs[place], side).mean(axis=1) for place in places], axis=1) for side in "ab")
        found[places] = unpaired_permutation_p(a, b)
    return found


def rank_sets(methods: Sequence[str], comparisons: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Best and worst rank that each method may have under one choice, 1 being the best.

    What the tests separate counts, even where the difference lies within the margin of equivalence. All sets of all
    endpoints hold at once: the level is divided by how many endpoints the cohort has.

    Args:
        comparisons: all pairs of one cohort under one choice and question.
    """
    above, below = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0)
    for one in comparisons:
        winner = one.ahead
        if winner and one.has_interval and one.p_adjusted <= one.alpha / one.endpoints:
            below[winner] += 1
            above[one.b if winner == one.a else one.a] += 1
    return {method: (1 + above[method], len(methods) - below[method]) for method in methods}

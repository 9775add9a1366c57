"""Comparison: what one pair of methods gives for one question, corrected for all pairs of its cohort."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import METRICS
from benchmark.statistics.intervals.crossed_effects import crossed_mean
from benchmark.statistics.intervals.mean import Interval, interval
from benchmark.statistics.pairwise import generalised_p as generalised
from benchmark.statistics.pairwise.multiple_testing import holm, of_the_winner
from benchmark.statistics.pairwise.permutation import sign_flips, unpaired_permutation_p
from benchmark.statistics.pairwise.power import detectable, detectable_recipe
from benchmark.statistics.panel import LOGGED, TRAINED_MODEL, Choice, Pair, Panel, Question, pair
from benchmark.statistics.primary_endpoint import Endpoint

Values = NDArray[np.float64]
State = Literal["better", "equivalent", "not separable", "not testable"]


@dataclass(frozen=True)
class Tested:
    """How all pairs of a cohort were tested for one question; every array is `(pairs,)`, NaN where not testable.

    Attributes:
        test: its name, as a reader should see it.
        correction: how `adjusted` and `equivalent_adjusted` came about.
        equivalent: p-value of the two one-sided tests; NaN without a margin.
    """

    test: str
    correction: str
    p: Values
    adjusted: Values
    equivalent: Values
    equivalent_adjusted: Values
    one_sided: Values


@dataclass(frozen=True)
class Comparison:
    """One pair under one question.

    Attributes:
        endpoint: "primary" or "exploratory".
        effect: mean paired difference a - b with its interval, which is of this pair alone.
        se: standard error of the effect under the question.
        sd: of the patients' differences, seeds averaged.
        left_out: patients without a number under some seed.
        comparisons: pairs that the correction is over.
        p, p_adjusted: two-sided; NaN where not testable.
        margin: None where none was fixed in advance.
        detectable: minimum detectable effect of this pair at the corrected level.
        p_false_claim: one-sided, that the method that looks better is not; no probability of a hypothesis.
        p_false_claim_winner: the same corrected for having picked the best of `methods` by these data.
        p_published: of the unpaired permutation test; for comparison only.
    """

    choice: Choice
    endpoint: str
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
    margin: float | None
    p_equivalent: float
    p_equivalent_adjusted: float
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
        """The better method where the state is "better", else ""."""
        return self.ahead if self.state == "better" else ""


def compare_all(
    panels: Mapping[str, Panel], choice: Choice, question: Question, endpoint: Endpoint, *, seed: int = 0
) -> list[Comparison]:
    """Every pair of a cohort's methods, in the order of the panels.

    Args:
        panels: over the same patients.
        seed: of the random sign flips and resamples.
    """
    pairs = [pair(panels[a], panels[b]) for a, b in combinations(panels, 2)]
    effects = [interval(one.differences, question, "difference", alpha=endpoint.alpha, seed=seed) for one in pairs]
    testable = np.array([not one.why_none or one.why_none.startswith("too few different") for one in effects])
    margin = endpoint.margin(choice.metric)
    tests = _of_weights if question == TRAINED_MODEL else _of_recipe
    tested = tests(pairs, testable, margin, endpoint.alpha, seed)
    count = int(testable.sum())
    return [
        _comparison(one, effects[index], tested, index, choice, question, endpoint, count, len(panels))
        for index, one in enumerate(pairs)
    ]


def _of_weights(
    pairs: Sequence[Pair], testable: NDArray[np.bool_], margin: float | None, alpha: float, seed: int
) -> Tested:
    p, adjusted, equivalent, one_sided = (np.full(len(pairs), np.nan) for _ in range(4))
    how = ""
    if testable.any():
        flips = sign_flips(_by_patient(pairs)[:, testable], seed=seed, alpha=alpha)
        p[testable], adjusted[testable] = flips.p, flips.adjusted
        how = f"all {flips.rounds:,} flips" if flips.exact else f"{flips.rounds:,} random flips"
    for index in map(int, np.flatnonzero(testable)):
        values = pairs[index].by_patient
        one_sided[index] = _t_p(np.abs(values.mean()), values)
        if margin is not None:
            equivalent[index] = max(_t_p(margin + values.mean(), values), _t_p(margin - values.mean(), values))
    test = f"paired sign-flip permutation over patients ({how})" if how else "none"
    return Tested(test, "max-T step-down", p, adjusted, equivalent, holm(equivalent), one_sided)


def _of_recipe(
    pairs: Sequence[Pair], testable: NDArray[np.bool_], margin: float | None, alpha: float, seed: int
) -> Tested:
    p, equivalent, one_sided = (np.full(len(pairs), np.nan) for _ in range(3))
    for index in map(int, np.flatnonzero(testable)):
        values = pairs[index].differences
        p[index] = generalised.two_sided_p(values)
        one_sided[index] = p[index] / 2
        if margin is not None:
            below, above = generalised.one_sided_p(values, -margin), generalised.one_sided_p(-values, -margin)
            equivalent[index] = max(float(below), float(above))
    test = "generalised p-value, patients x training seeds crossed"
    return Tested(test, "Holm", p, holm(p), equivalent, holm(equivalent), one_sided)


def _by_patient(pairs: Sequence[Pair]) -> Values:
    """`(all patients, pairs)`; NaN where a pair lacks a patient."""
    table = np.full((pairs[0].kept.size, len(pairs)), np.nan)
    for column, one in enumerate(pairs):
        table[one.kept, column] = one.by_patient
    return table


def _t_p(distance: float, values: Values) -> float:
    """One-sided p-value of a mean that is `distance` on the right side of a border."""
    from scipy.stats import t

    se = values.std(ddof=1) / np.sqrt(values.size)
    if se == 0:
        return 0.5 if distance == 0 else float(distance < 0)
    return float(t.sf(distance / se, values.size - 1))


def _comparison(
    one: Pair,
    effect: Interval,
    tested: Tested,
    index: int,
    choice: Choice,
    question: Question,
    endpoint: Endpoint,
    count: int,
    methods: int,
) -> Comparison:
    p_adjusted, p_equivalent = float(tested.adjusted[index]), float(tested.equivalent_adjusted[index])
    margin = endpoint.margin(choice.metric)
    state = _state(p_adjusted, p_equivalent, endpoint.alpha, within=_within(effect, margin))
    se, smallest = _reach(one, question, endpoint, count) if state != "not testable" else (np.nan, np.nan)
    return Comparison(
        choice=choice,
        endpoint=endpoint.rank_of(choice),
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
        p_adjusted=p_adjusted,
        margin=margin,
        p_equivalent=float(tested.equivalent[index]),
        p_equivalent_adjusted=p_equivalent,
        state=state,
        detectable=smallest,
        p_false_claim=float(tested.one_sided[index]),
        p_false_claim_winner=of_the_winner(float(tested.one_sided[index]), methods),
        p_published=_published(one) if state != "not testable" else np.nan,
    )


def _state(p: float, p_equivalent: float, alpha: float, *, within: bool) -> State:
    """A difference inside the margin is equivalence even where it is surely not 0: nobody would act on it."""
    if np.isnan(p):
        return "not testable"
    if p_equivalent <= alpha and within:
        return "equivalent"
    return "better" if p <= alpha else "not separable"


def _within(effect: Interval, margin: float | None) -> bool:
    """Whether the interval agrees with the two t-tests, which can be wrong where differences are skewed."""
    return margin is None or np.isnan(effect.low) or (effect.low >= -margin and effect.high <= margin)


def _reach(one: Pair, question: Question, endpoint: Endpoint, count: int) -> tuple[float, float]:
    """Standard error of the effect, and the minimum detectable effect at the level that Bonferroni leaves a pair."""
    alpha = endpoint.alpha / count
    if question == TRAINED_MODEL:
        return one.sd / np.sqrt(one.n), detectable(one.sd, one.n, alpha=alpha, power=endpoint.power)
    se = float(crossed_mean(one.differences).se)
    width = generalised.half_width(one.differences, alpha)
    return se, detectable_recipe(width, se, power=endpoint.power)


def _published(one: Pair) -> float:
    return unpaired_permutation_p(one.a.mean(axis=1), one.b.mean(axis=1))


def rank_sets(methods: Sequence[str], comparisons: Iterable[Comparison]) -> dict[str, tuple[int, int]]:
    """Best and worst rank that each method may have, 1 being the best.

    What the tests separate counts, even where the difference lies within the margin of equivalence.

    Args:
        comparisons: all pairs of one cohort under one question.
    """
    above, below = dict.fromkeys(methods, 0), dict.fromkeys(methods, 0)
    for one in comparisons:
        winner = one.ahead
        if winner and one.p_adjusted <= one.alpha:
            below[winner] += 1
            above[one.b if winner == one.a else one.a] += 1
    return {method: (1 + above[method], len(methods) - below[method]) for method in methods}

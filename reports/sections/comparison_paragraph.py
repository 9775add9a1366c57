"""What a comparison found, as sentences that can be pasted into a paper."""

from collections.abc import Iterator, Sequence
from math import isnan

from benchmark.metrics import METRICS
from benchmark.statistics.intervals.coverage import ASKED, ASKED_FROM, is_short
from benchmark.statistics.intervals.mean import Interval
from benchmark.statistics.intervals.variance_components import Part
from benchmark.statistics.pairwise.meta_analysis import Pooled
from benchmark.statistics.pairwise.paired_difference import Comparison
from benchmark.statistics.panel import LOGGED, Choice
from benchmark.statistics.primary_endpoint import Endpoint
from benchmark.statistics.question import FEWEST_SEEDS, SEEDS_FOR_A_CLAIM

DRAWN = {
    "these weights": "These weights (patients drawn anew, the fits as they are)",
    "this recipe": "This recipe (patients and training seeds drawn anew, crossed)",
}


def paragraph(
    weights: Comparison, recipe: Comparison, means: tuple[float, float], scans: int, endpoint: Endpoint
) -> str:
    """One cohort's paragraph on one pair: what was seen, and what follows for each question.

    Args:
        scans: of all the cohort's patients.
    """
    sentences = [_seen(weights, means, scans), *_answer(recipe), *_answer(weights)]
    if weights.state != "not testable":
        sentences += [_claim(weights), f"For comparison only, the published unpaired permutation test on the same "
                      f"values: {p_text(weights.p_published)}."]  # fmt: skip
    return " ".join([*sentences, standing(weights.choice, endpoint)])


def standing(choice: Choice, endpoint: Endpoint) -> str:
    """Whether a choice is what the release decides on."""
    if endpoint.is_primary(choice):
        return f"This is the primary endpoint of release {endpoint.release}, fixed beforehand."
    fixed = f"{endpoint.metric} / {endpoint.postprocessing} / {endpoint.protocol}, {endpoint.split} split"
    return f"Exploratory: the primary endpoint of release {endpoint.release} is {fixed}."


def pooled_text(pooled: Pooled, question: str) -> str:
    """A pair's meta-analysis over cohorts."""
    wide = "; with two cohorts the interval is 12.7 standard errors wide to each side" if pooled.df == 1 else ""
    return (
        f"Across {len(pooled.cohorts)} cohorts ({', '.join(pooled.cohorts)}), {question}: {pooled.a} - {pooled.b} = "
        f"{pooled.mean:.3f}, {pooled.level:.0%} interval {pooled.low:.3f} to {pooled.high:.3f}, {p_text(pooled.p)} "
        f"(random effects, DerSimonian-Laird with Hartung-Knapp, t with {pooled.df} df{wide}); between cohorts "
        f"s.d. {pooled.tau:.3f}, I2 {pooled.i2:.0%}."
    )


def parts_text(method: str, parts: Sequence[Part], level: float) -> str:
    """A method's parts of variance with their intervals."""
    if not parts:
        return f"{method}: parts of variance need two patients and two training seeds."
    listed = "; ".join(map(_part_text, parts))
    return f"{method}: standard deviation by {listed}; {level:.0%} intervals."


def _part_text(one: Part) -> str:
    if isnan(one.low):
        return f"{one.source} 0 (nothing varies)"
    return f"{one.source} {one.sd:.3f} ({one.low:.3f} to {one.high:.3f}, {one.df} df)"


def ranks_text(ranks: dict[str, tuple[int, int]], question: str, level: float) -> str:
    """The rank confidence set of each method."""
    listed = ", ".join(f"{method} {low}" + (f"-{high}" if high > low else "") for method, (low, high) in ranks.items())
    return f"Ranks that the data leave open ({question}, all at once with {level:.0%} confidence): {listed}."


def p_text(p: float) -> str:
    if isnan(p):
        return "p not defined"
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def coverage_text(found: Interval) -> str:
    """How the interval was made and how often its like held the truth; flagged where that is too seldom."""
    if isnan(found.coverage):
        return f"{found.method}; coverage not measured"
    flag = ""
    if is_short(found.coverage):
        asked = f"{ASKED:.0%} asked" + (f" from n {ASKED_FROM} on" if found.n < ASKED_FROM else "")
        flag = f", SHORT of the {asked}"
    return f"{found.method}, measured coverage {found.coverage:.1%}{flag}"


def _seen(one: Comparison, means: tuple[float, float], scans: int) -> str:
    """The data, n and seeds, and both means."""
    choice = one.choice
    title = METRICS[choice.metric].title
    how = ", ".join(
        part
        for part in (
            f"post-processing {choice.postprocessing}" if choice.postprocessing else "",
            f"threshold {choice.protocol}" if choice.protocol else "",
        )
        if part
    )
    logged = " (compared as logarithms)" if choice.metric in LOGGED else ""
    seeds = f"{len(one.seeds)} training seed{'s' * (len(one.seeds) != 1)} ({', '.join(map(str, one.seeds)) or 'none'})"
    missing = f"; {one.left_out} patients left out, a value is missing or undefined" if one.left_out else ""
    if one.left_out_seeds:
        missing += f"; not of both methods: seed {', '.join(map(str, one.left_out_seeds))}"
    split = "" if choice.split == "test" else " VALIDATION cases"
    return (
        f"On {choice.dataset}{split}, {one.a} had a mean {title}{logged} of {means[0]:.3f} and {one.b} of "
        f"{means[1]:.3f}{f' ({how})' if how else ''}, over {one.n} patients (the clusters; {scans} scans of "
        f"{one.n + one.left_out} in the cohort) and {seeds}{missing}."
    )


def _answer(one: Comparison) -> Iterator[str]:
    found, drawn = one.effect, DRAWN[one.question]
    if one.state == "not testable":
        yield f"{drawn}: not testable, {found.why_none}."
        return
    ends = (
        f"no interval, {found.why_none}"
        if found.why_none
        else f"{found.level:.0%} interval {found.low:.3f} to {found.high:.3f}, {coverage_text(found)}"
    )
    yield (
        f"{drawn}: mean paired difference {one.a} - {one.b} {found.mean:.3f} ({ends}); {p_text(one.p)}, corrected for "
        f"{one.comparisons} comparison{'s' * (one.comparisons != 1)} {p_text(one.p_adjusted)} ({one.test}; "
        f"{one.correction}): {_verdict(one)}."
    )
    yield f"The smallest difference that this pair could show with power {one.power:g} is {one.detectable:.3f}."


def _verdict(one: Comparison) -> str:
    claim = ""
    if one.question == "this recipe" and FEWEST_SEEDS <= len(one.seeds) < SEEDS_FOR_A_CLAIM:
        claim = f" ({len(one.seeds)} seeds: enough for a rank, a claim takes {SEEDS_FOR_A_CLAIM})"
    if one.state == "better":
        return f"{one.better or 'one'} is better{claim}"
    if one.state == "equivalent":
        return f"equivalent within {one.margin:g} (two one-sided tests, corrected {p_text(one.p_equivalent_adjusted)})"
    if one.margin is None:
        return "not separable (no margin was fixed for this metric, so equivalence is not tested)"
    tost = f"equivalence within {one.margin:g}: corrected {p_text(one.p_equivalent_adjusted)}"
    return f"not separable ({tost})"


def _claim(one: Comparison) -> str:
    """P(false claim) under its right name."""
    return (
        f"The P(false claim) that is reported elsewhere is the one-sided paired-t p-value, here "
        f"{one.p_false_claim:.3f} for these weights, and {one.p_false_claim_winner:.3f} corrected for picking the "
        f"winner of {one.methods}; it is not the probability that a claim is false."
    )

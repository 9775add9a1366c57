"""Sentences for a paper: how a run's numbers were made, and what a comparison of two methods found."""

from collections.abc import Iterator, Sequence
from math import isnan

from benchmark.metrics import METRICS
from benchmark.statistics.intervals.coverage import ASKED, ASKED_FROM, is_short
from benchmark.statistics.intervals.crossed_effects import Part
from benchmark.statistics.intervals.mean import Interval
from benchmark.statistics.pairwise.meta_analysis import Pooled
from benchmark.statistics.pairwise.paired_difference import ALONE, Comparison
from benchmark.statistics.panel import (
    FEWEST_PATIENTS,
    FEWEST_SEEDS,
    LOGGED,
    SEEDS_FOR_A_CLAIM,
    TRAINED_MODEL,
    TRAINING_PROCEDURE,
    Choice,
)
from benchmark.statistics.primary_endpoint import EXPLORATORY, Endpoint, read_endpoint
from benchmark.storage.run_tables import read_run_record
from benchmark.study.protocols import protocol_named
from datasets.cohorts.catalog import dataset
from datasets.io.atomic import read_json
from datasets.words import count_text
from reports.content.blocks import Block, Folded, Listing, Paragraph
from reports.model.references import bibliography, references_of
from reports.model.run_results import RunResults

PACKAGES = ("python", "torch", "numpy", "scipy")


VERDICTS = {
    "better": "better than",
    "equivalent": "equivalent to",
    "better under one endpoint": "better, under this endpoint only, than",
    "equivalent under one endpoint": "equivalent, under this endpoint only, to",
    "not separable": "not separable from",
    "not testable": "not testable against",
}
"""By the state of a comparison what the method named first is to the other."""


def verdict_line(one: Comparison) -> str:
    """A comparison in a line: `pca is not separable from zscore on lgg: +0.020 Dice, 95 % ..., p ... corrected`."""
    if one.state.startswith("better") and one.effect.mean < 0:
        one = one.seen_from(one.b)
    metric, effect = METRICS[one.choice.metric], one.effect
    parts = [f"{effect.mean:+.3f} {metric.title}"]
    if not isnan(effect.low):
        parts.append(f"{100 * effect.level:.0f} % {effect.low:.3f} to {effect.high:.3f}")
    if not isnan(one.p_adjusted):
        parts.append(f"p {one.p_adjusted:.2g} corrected")
    closed = " validation cases" if one.choice.split == "val" else ""
    where = f"{one.choice.dataset}{closed} ({one.choice.what}, {count_text(one.n, 'patient')})"
    return f"{one.a} is {VERDICTS[one.state]} {one.b} on {where}: {', '.join(parts)}"


def methods_section(results: RunResults) -> list[Block]:
    """The paragraphs, to be copied."""
    intro = "Made from what the run itself keeps; nothing in it was typed. Check it, cite the cohorts, and paste it."
    return [results.heading("Methods, as text for a paper"), *map(Paragraph, [intro, *methods_paragraphs(results)])]


def citations(results: RunResults) -> list[Block]:
    """What methods and cohorts cite, for a bibliography."""
    told = "What the cards of methods and cohorts cite, each reference whole in its note."
    entries = Listing(bibliography(references_of(results)), "bibtex")
    return [results.heading("References"), Paragraph(told), Folded("BibTeX", [entries])]


def methods_paragraphs(results: RunResults) -> list[str]:
    """Plain text: data, detectors, scoring, statistics and computation."""
    statistics = _statistics(read_endpoint(), results.endpoint)
    parts = (_data(results), _detectors(results), _scoring(results), statistics, _computation(results))
    return [" ".join(part) for part in parts]


def _data(results: RunResults) -> Iterator[str]:
    fit, settings = results.fits[0], results.settings
    sequence, healthy = fit.healthy.sequence.upper(), [dataset(name) for name in results.fitted_on]
    counts = {(card.train, card.val) for card in results.cards.values()}
    sizes = " or ".join(f"{train} to train on and {val} to validate on" for train, val in sorted(counts))
    told = f": {sizes}" if sizes else ""
    named = " and ".join(f"{one.title} ({one.reference})" for one in healthy)
    yield f"Detectors saw healthy {sequence} scans of {named}{told}." if named else "No detector saw a healthy scan."
    scored = [_cohort(results, name) for name in results.cohorts if name not in results.empty]
    where = "validation cases, the test split being closed" if results.validation else "test split"
    yield f"Anomaly maps were made and scored ({where}) in {'; '.join(scored)}."
    grid = fit.grid
    low, high = grid.percentiles
    how = {"average": "averaging over voxels", "spline": "cubic B-splines, masks by nearest labels,"}[grid.sampling]
    yield (
        f"Volumes were resampled by {how} to {grid.spacing:g} mm in a box of {' x '.join(map(str, grid.shape))} voxels "
        f"around the volume's centre; intensities were scaled from percentile {low:g} to {high:g} of the brain to "
        "[0, 1]. Lesion outside the box counts as missed."
    )
    if settings["limit"] is not None:
        yield f"At most {settings['limit']} healthy and as many lesion cases of each split were used."
    flags = sorted({flag for cell in results.cells for flag in cell.flags})
    if flags:
        yield f"All numbers are flagged: {', '.join(flags)}."


def _cohort(results: RunResults, name: str) -> str:
    """A cohort with how many patients and healthy people were scored, and its reference."""
    spec = dataset(name)
    counts = []
    for cohorts, noun in ((results.lesion, "patient"), (results.scanned, "healthy person")):
        cohort = cohorts.get(name)
        if cohort is not None and cohort.patients:
            plural = {"patient": "patients", "healthy person": "healthy people"}[noun]
            counts.append(f"{cohort.patients} {noun if cohort.patients == 1 else plural}")
    return f"{spec.title} ({', '.join([*counts, spec.reference])})"


def _detectors(results: RunResults) -> Iterator[str]:
    whole = results.whole
    rivals = [name for name in whole.seeds if name not in whole.simple_baselines]
    named = ", ".join(rivals) or "none"
    baselines = ", ".join(name for name in whole.seeds if name in whole.simple_baselines)
    yield f"Methods: {named}." + (f" Simple baselines, which any method has to beat: {baselines}." if baselines else "")
    counts = sorted(set(whole.seeds.values()))
    folds = results.fits[0].folds
    if folds:
        yield f"Each was fitted on {folds} folds of the healthy subjects."
    else:
        seeds = " or ".join(map(str, counts))
        noun = "seed" if counts == [1] else "seeds"
        yield f"Each was fitted under {seeds} training {noun}, each of which redraws the validation cases."
    if whole.labelled:
        yield f"Made of lesion labels and ranked with nothing: {', '.join(whole.labelled)}."
    if whole.transductive:
        yield f"Made of all scans of a split at once and ranked with nothing: {', '.join(whole.transductive)}."
    yield "All hyper-parameters are listed in the resolved configuration."


def _scoring(results: RunResults) -> Iterator[str]:
    yield f"Post-processing: {'; '.join(f'{name}: {text}' for name, text in results.pipelines.items())}."
    protocols = [f"{name}: {protocol_named(name).what}" for name in results.scoring.protocols]
    yield f"Thresholds: {'; '.join(protocols)}."
    oracles = [name for name in results.scoring.protocols if protocol_named(name).sees_test_labels]
    if oracles:
        yield f"Thresholds that see test labels ({', '.join(oracles)}) are upper bounds and never ranked."
    yield (
        "AUPRC is step-wise average precision over brain voxels after post-processing, equal scores forming one step. "
        "An empty prediction has Dice 0. The ground truth, sent through each pipeline, stands beside the methods as "
        "the perfect map."
    )


def _statistics(fixed: Endpoint, endpoint: Endpoint) -> Iterator[str]:
    """Of the endpoint of the release, and as it is on the run's grid."""
    idle = fixed.postprocessing != endpoint.postprocessing
    standing_as = f" (without effect on this grid: {endpoint.postprocessing})" if idle else ""
    margins = ", ".join(f"{value:g} {name}" for name, value in endpoint.margins.items())
    yield (
        f"The endpoints, fixed beforehand (release {endpoint.release}), are {endpoint.metric} after "
        f"{fixed.postprocessing}{standing_as} at {' and, second, at '.join(endpoint.protocols)} on the "
        f"{endpoint.split} split, unshifted; everything else is exploratory. A method is called better where both say "
        "so, each corrected over the pairs of the cohort; what one alone says is corrected over the pairs of both."
    )
    yield (
        "The patient is the unit: scans of one are averaged first. Of trained models: bootstrap-t intervals and "
        "paired sign-flip tests over patients, corrected by max-T over all pairs of a cohort; of training "
        "procedures: patients x training seeds crossed, ANOVA moments with Satterthwaite's t for intervals, "
        f"generalised p-values with Holm's correction for tests. Two-sided level {endpoint.alpha:g}; equivalence "
        f"within {margins}: interval inside the margin, and a test of the mean that assumes no more than the bound on "
        "a difference (betting, Holm)."
    )
    yield (
        f"Under {FEWEST_PATIENTS} patients, and for a training procedure under {FEWEST_SEEDS} seeds, nothing is "
        "tested. Ranks are confidence sets from the corrected pairs, of two endpoints at half the level each."
    )


def _computation(results: RunResults) -> Iterator[str]:
    stored = read_json(results.run.study)
    known = read_run_record(results.run, "environment.json")
    versions = ", ".join(f"{name} {known[name]}" for name in PACKAGES if name in known)
    where = ", ".join(filter(None, [known.get("processor"), known.get("gpu")]))
    yield (
        f"Computed with uadbench {stored['version']}{f' ({versions})' if versions else ''}"
        f"{f' on {where}' if where else ''}, inference in {results.settings['precision']}."
    )
    digests = {cell.cohort.dataset: cell.cohort.digest for cell in results.cells}
    yield f"Data digests: {', '.join(f'{name} {digest[:12]}' for name, digest in digests.items())}."


DRAWN = {
    TRAINED_MODEL: "The trained models (patients drawn anew, the fits as they are)",
    TRAINING_PROCEDURE: "The training procedures (patients and training seeds drawn anew, crossed)",
}


def paragraph(
    model: Comparison, procedure: Comparison, means: tuple[float, float], scans: int, endpoint: Endpoint
) -> str:
    """One cohort's paragraph on one pair: what was seen, and what follows for each question.

    Args:
        scans: of all the cohort's patients.
    """
    sentences = [_seen(model, means, scans), *_answer(procedure), *_answer(model)]
    if model.state != "not testable":
        sentences += [_claim(model), f"For comparison only, the published unpaired permutation test on the same "
                      f"values: {p_text(model.p_published)}."]  # fmt: skip
    return " ".join([*sentences, standing(model.choice, endpoint)])


def standing(choice: Choice, endpoint: Endpoint) -> str:
    """Whether a choice is what the release decides on."""
    place = endpoint.rank_of(choice)
    if place != EXPLORATORY:
        return f"This is the {place} endpoint of release {endpoint.release}, fixed beforehand."
    fixed = f"{', then '.join(endpoint.labels)}, {endpoint.split} split"
    return f"Exploratory: release {endpoint.release} decides on {fixed}."


def pooled_text(pooled: Pooled, question: str) -> str:
    """A pair's meta-analysis over cohorts, and which of them are not in it."""
    out = "; ".join(f"{name} ({why})" for name, why in pooled.left_out.items())
    left_out = f" Left out: {out}." if out else ""
    if isnan(pooled.mean):
        known = ", ".join(pooled.cohorts) or "none"
        return f"Across cohorts, {question}: not pooled, two cohorts are needed and {known} can be used.{left_out}"
    wide = "; with two cohorts the interval is 12.7 standard errors wide to each side" if pooled.df == 1 else ""
    return (
        f"Across {count_text(len(pooled.cohorts), 'cohort')} ({', '.join(pooled.cohorts)}), {question}: "
        f"{pooled.a} - {pooled.b} = "
        f"{pooled.mean:.3f}, {pooled.level:.0%} interval {pooled.low:.3f} to {pooled.high:.3f}, {p_text(pooled.p)} "
        f"(random effects, DerSimonian-Laird with Hartung-Knapp, t with {pooled.df} df{wide}); between cohorts "
        f"s.d. {pooled.tau:.3f}, I2 {pooled.i2:.0%}.{left_out}"
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
    seeds = f"{count_text(len(one.seeds), 'training seed')} ({', '.join(map(str, one.seeds)) or 'none'})"
    missing = (
        f"; {count_text(one.left_out, 'patient')} left out, a value is missing or undefined" if one.left_out else ""
    )
    if one.left_out_seeds:
        missing += f"; not of both methods: seed {', '.join(map(str, one.left_out_seeds))}"
    split = "" if choice.split == "test" else " VALIDATION cases"
    return (
        f"On {choice.dataset}{split}, {one.a} had a mean {title}{logged} of {means[0]:.3f} and {one.b} of "
        f"{means[1]:.3f}{f' ({how})' if how else ''}, over {count_text(one.n, 'patient')} (the clusters; "
        f"{scans} scans of {one.n + one.left_out} in the cohort) and {seeds}{missing}."
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
        f"{count_text(one.comparisons, 'comparison')} {p_text(one.p_adjusted)} ({one.test}; "
        f"{one.correction}): {_verdict(one)}."
    )
    if not isnan(one.detectable):
        yield f"The smallest difference that this pair could show with power {one.power:g} is {one.detectable:.3f}."


def _verdict(one: Comparison) -> str:
    claim = ""
    if one.question == TRAINING_PROCEDURE and FEWEST_SEEDS <= len(one.seeds) < SEEDS_FOR_A_CLAIM:
        claim = f" ({count_text(len(one.seeds), 'seed')}: enough for a rank, a claim takes {SEEDS_FOR_A_CLAIM})"
    if one.state == "better":
        both = " under both endpoints" if one.endpoints > 1 else ""
        return f"{one.better or 'one'} is better{both}{claim}"
    if one.state == ALONE["better"]:
        return (
            f"{one.better} comes out better under this endpoint only ({p_text(one.p_alone)} corrected for the pairs of "
            "both), which is no claim that it is better"
        )
    if one.state == "equivalent":
        both = " under both endpoints" if one.endpoints > 1 else ""
        return f"equivalent within {one.margin:g}{both} (corrected {p_text(one.p_equivalent_adjusted)})"
    if one.state == ALONE["equivalent"]:
        return f"equivalent within {one.margin:g} under this endpoint only ({p_text(one.p_equivalent_alone)} corrected)"
    if isnan(one.effect.low):
        return "not separable, the differences have no spread to judge by"
    if one.margin is None:
        return "not separable (no margin was fixed for this metric, so equivalence is not tested)"
    tost = f"equivalence within {one.margin:g}: corrected {p_text(one.p_equivalent_adjusted)}"
    return f"not separable ({tost})"


def _claim(one: Comparison) -> str:
    """P(false claim) under its right name."""
    return (
        f"The P(false claim) that is reported elsewhere is the one-sided paired-t p-value, here "
        f"{one.p_false_claim:.3f} for these trained models, and {one.p_false_claim_winner:.3f} corrected for picking "
        f"the winner of {one.methods}; it is not the probability that a claim is false."
    )

"""Tables of each lesion cohort's numbers: the endpoints, every metric, Dice by choice, and loss by field of view."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from math import isnan, nan

from benchmark.metrics import METRICS
from benchmark.statistics.primary_endpoint import EXPLORATORY
from benchmark.study.cells import PERFECT_MAP
from datasets.words import count_text
from reports.content.blocks import Block, Paragraph
from reports.content.table import BLANK, Cell, Column, Stamp, Table, said, text_columns
from reports.content.text import Text, as_text, joined, prose
from reports.model.cohort_results import CohortResults, Number
from reports.model.ranking import (
    ONLY_MODEL,
    OPEN,
    SHORT,
    Headline,
    Ranking,
    choice_text,
    headlines,
    ranking_of_headline,
    rankings_of,
    sees_test,
)
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import Given, Lead, Measure, measured, metric_measure, metric_title, seconds_measure

LEGEND = prose(
    "Ordered by the mean at the first endpoint; without ranks, in the order of the study. Rank: simultaneous 95 % "
    "confidence set; `-`: not testable. **Bold**: the best mean; {}: may be first too. Interval {}: of the trained "
    "models alone, with fewer than 3 training seeds; {}: such intervals covered less than 93 % in simulations. `n/a`: "
    "undefined; blank: not computed; `[a/b]`: over a of b patients.",
    OPEN,
    ONLY_MODEL,
    SHORT,
)
EXPLAINED = prose(
    "Means over patients (a patient's scans first) and training seeds. **Bold**: best of its column among the methods, "
    "simple baselines included; it says nothing of significance. The perfect map is the ground truth itself sent "
    "through the same post-processing: what that leaves of a flawless answer. It takes no part in the order; where "
    "lesions are small, a map that is too large can come out ahead of it. Supervision is the most that a map has seen. "
    "Of lesions, what is not *bounded* is never bold: one component over much of the brain can find every lesion by "
    "it, without a false positive."
)
LED_BY_ONE_COMPONENT = ("lesion_recall", "lesion_precision", "lesion_f1", "false_alarms", "froc", "froc_at_1")
"""Numbers of components that one component over much of the brain can lead: never bold."""
CUT_OFF, LOST = "lesion_outside_grid_ml", "lesion_lost_ml"
UPPER = (
    "Upper bound of the pooled Dice, never ranked: this threshold has seen the test labels. The mean over patients "
    "can still be lower than under another threshold."
)


def endpoint_table(results: RunResults, name: str) -> Table:
    """A cohort's methods at its endpoints: mean and interval, ranks, and what qualifies them."""
    cohort, rankings = results.lesion[name], rankings_of(results, name)
    lead: Lead[Hashable] = {"Method": cohort.label}
    if not rankings:
        first = headlines(results, cohort)[0]
        threshold = prose("threshold `{}`", first.protocol) if first.protocol else "no threshold"
        caption = prose(
            "{}: post-processing `{}`, {}. {}", cohort_title(name), first.pipeline, threshold, cohort.caution
        )
        own = [metric_measure(cohort, METRICS[first.metric].title, first.metric, first.pipeline, first.protocol)]
        measures = [*own, *_beside(cohort, first.pipeline, first.protocol)]
        return measured(f"{name}-endpoint", caption, cohort.ordered, lead, measures)
    one = rankings[0].first
    caption = joined(
        [
            prose(
                "{}, {}: {}{}.", cohort_title(name), _patients(cohort), choice_text(rankings[0]), _question(rankings[0])
            ),
            cohort.caution,
        ]
    )
    columns: list[Measure | Given] = []
    for place, ranking in enumerate(rankings):
        under = f", {ranking.under}" if place else ""
        columns += [_ranks(cohort, ranking, f"Rank{under}")] if ranking.ranks else []
        columns.append(standing_measure(cohort, ranking, METRICS[one["metric"]].title + under))
    columns += _beside(cohort, one["postprocessing"], one["protocol"])
    stamp: Stamp = "exploratory" if one["endpoint"] == EXPLORATORY else "endpoint"
    return measured(f"{name}-endpoint", caption, cohort.ordered, lead, columns, stamp)


def _question(ranking: Ranking) -> Text:
    return prose("; ranks of *{}*", ranking.question) if ranking.ranks else Text()


def _ranks(cohort: CohortResults, ranking: Ranking, title: str) -> Given:
    """Rank sets, sorted by the best rank."""
    lows = {method: ranking.ranks.get(str(method), (nan, nan))[0] for method in cohort.ordered}
    cells = {method: said(ranking.rank_text(str(method)), low) for method, low in lows.items()}
    return Given(Column(title, digits=None), {**cells, PERFECT_MAP: Cell()})


def _beside(cohort: CohortResults, pipeline: str, protocol: str) -> list[Measure]:
    return [
        metric_measure(cohort, "AUPRC", "auprc", pipeline),
        metric_measure(cohort, "False positives > 10 mm away", "alarm_fraction_far", pipeline, protocol),
        seconds_measure(cohort),
    ]


def standing_measure(cohort: CohortResults, ranking: Ranking, title: str) -> Measure:
    """The metric that decides, with intervals and marks."""
    one = ranking.first
    bare = metric_measure(cohort, title, one["metric"], one["postprocessing"], one["protocol"])
    known = [line for line in bare.numbers if line in set(ranking.methods)]
    found = {line: ranking.interval(str(line)) for line in known}
    marks: dict[Hashable, str] = {
        line: " ".join(filter(None, [OPEN if ranking.open_to(str(line)) else "", found[line][2]])) for line in known
    }
    return replace(bare, ends={line: (low, high) for line, (low, high, _) in found.items()}, notes=marks)


def _patients(cohort: CohortResults) -> str:
    return count_text(cohort.patients, "patient")


def leaderboards(results: RunResults) -> list[Block]:
    """Every metric of the lesion cohorts after each first pipeline."""
    if not results.lesion:
        return []
    parts: list[Block] = [results.heading("All metrics"), Paragraph(EXPLAINED)]
    for name, cohort in results.lesion.items():
        parts += [results.heading(cohort_title(name), 4), *cohort.caution_lines]
        for first in headlines(results, cohort):
            ranking = ranking_of_headline(results, name, first)
            parts += [leaderboard(name, cohort, first, ranking), lesion_table(name, cohort, first)]
    return parts


def dice_matrices(results: RunResults) -> list[Block]:
    """Thresholds that see test labels stand apart, and nowhere while the test split is closed."""
    if not results.lesion:
        return []
    parts: list[Block] = [results.heading("Mean Dice by post-processing and threshold")]
    pipelines, protocols = list(results.pipelines), results.scoring.protocols
    deployable, upper = ([name for name in protocols if sees_test(name) is seen] for seen in (False, True))
    for name in results.testable:
        cohort = results.lesion[name]
        parts += [*cohort.caution_lines]
        if deployable:
            parts.append(dice_table(name, cohort, pipelines, deployable, marked=True))
        if upper and not results.validation:
            parts.append(dice_table(name, cohort, pipelines, upper, marked=False))
    return parts


def field_of_view(results: RunResults) -> list[Block]:
    if not results.lesion:
        return []
    return [results.heading("Loss by field of view"), cut_off_table(results.lesion)]


def leaderboard(name: str, cohort: CohortResults, first: Headline, ranking: Ranking | None = None) -> Table:
    """A line a method, the perfect map below all; numbers of lesion cases.

    Args:
        ranking: the headline's choice with intervals and ranks; None where it is not summarised.
    """
    pipeline, protocol, title = first.pipeline, first.protocol, METRICS[first.metric].title
    bare = metric_measure(cohort, title, first.metric, pipeline, protocol)
    endpoint = bare if ranking is None else standing_measure(cohort, ranking, title)
    spread = {
        line: replace(one, value=one.sd, defined=0 if isnan(one.sd) else one.defined)
        for line, one in bare.numbers.items()
    }
    measures = [
        endpoint,
        Measure(Column("s.d. over patients"), spread),
        metric_measure(cohort, "AUPRC", "auprc", pipeline),
        metric_measure(cohort, "AUROC", "auroc", pipeline),
        metric_measure(cohort, "Precision", "precision", pipeline, protocol),
        metric_measure(cohort, "Recall", "recall", pipeline, protocol),
        metric_measure(cohort, "False positives > 10 mm away", "alarm_fraction_far", pipeline, protocol),
        metric_measure(cohort, "AUPRC pooled", "auprc_pooled", pipeline),
        metric_measure(cohort, "l1 ratio", "l1_ratio"),
        seconds_measure(cohort),
    ]
    lead: dict[str, Callable[[Hashable], Text | str]] = {"Method": cohort.label}
    if cohort.supervision:
        lead["Supervision"] = cohort.supervision_of
    lead["Patients"] = cohort.patients_of
    if max(cohort.seeds.values()) > 1:
        lead["Seeds"] = lambda method: "" if method == PERFECT_MAP else _seed_count(cohort, str(method))
        lead[f"{title} over seeds"] = lambda method: _seed_range(bare.numbers[method])
    caption = prose("{}. {}", cohort_title(name), first.why)
    return measured(f"{name}-{pipeline}-{protocol}", caption, cohort.ordered, lead, measures)


def dice_table(
    name: str, cohort: CohortResults, pipelines: Sequence[str], protocols: Sequence[str], *, marked: bool
) -> Table:
    """Mean Dice of every method under every choice; the best is bold only where it is to be `marked`."""
    measures = [
        metric_measure(cohort, f"{pipeline}, {protocol}", "dice", pipeline, protocol, marked=marked)
        for pipeline in pipelines
        for protocol in protocols
    ]
    caption = prose("{}: mean Dice.{}", cohort_title(name), "" if marked else f" {UPPER}")
    lines = cohort.ordered
    return measured(
        f"{name}-dice-{'choices' if marked else 'bounds'}", caption, lines, {"Method": cohort.label}, measures
    )


def cut_off_table(cohorts: Mapping[str, CohortResults]) -> Table:
    """How much of the lesions the grid does not show, a line a cohort; the same for all methods."""
    lesion = Column("Lesion, mean", "ml", digits=2)
    unseen = [Column(f"{what}, {of}", "ml", digits=2) for what in ("Cut off", "Too small") for of in ("mean", "most")]
    patients = [Column(f"{what}, patients", digits=0) for what in ("Cut off", "Too small")]
    columns = [*text_columns("Cohort"), Column("Patients", digits=0), lesion,
               *unseen[:2], patients[0], *unseen[2:], patients[1]]  # fmt: skip
    rows = [
        [
            said(name),
            Cell(one.patients),
            Cell(_first_known(one, "lesion_ml")),
            *_unseen(one, CUT_OFF),
            *_unseen(one, LOST),
        ]
        for name, one in cohorts.items()
    ]
    caption = as_text(
        "Lesion outside the grid's box, and lesions too small to leave a voxel on the grid: they count as missed in "
        "every number above."
    )
    return Table("field-of-view", caption, columns, rows)


def _unseen(cohort: CohortResults, metric: str) -> list[Cell]:
    """Mean and most ml, and in how many patients."""
    mean, most, share = (_first_known(cohort, metric, kind) for kind in ("mean", "maximum", "share"))
    return [Cell(mean), Cell(most), Cell(round(share * cohort.patients) if not isnan(share) else nan)]


def _first_known(cohort: CohortResults, metric: str, kind: str = "mean") -> float:
    """Of what is the same for all methods; NaN where no method has it."""
    return next((one.value for one in cohort.numbers(metric, kind=kind).values() if one.defined), nan)


def lesion_table(name: str, cohort: CohortResults, first: Headline) -> Table:
    """Lesions and surfaces instead of voxels; without a row where none of it is computed."""
    wanted = ("lesion_recall_bounded", "lesion_f1_bounded", *LED_BY_ONE_COMPONENT[:4], "hd95", "surface_dice", "regret")
    whole = (*LED_BY_ONE_COMPONENT[4:], "oracle_dice")
    unmarked = (*LED_BY_ONE_COMPONENT, "oracle_dice")
    there = cohort.metrics
    measures = [
        metric_measure(
            cohort, metric_title(one), one, first.pipeline, first.protocol if one in wanted else "",
            marked=one not in unmarked,
        )
        for one in (*wanted, *whole)
        if one in there and not _is_unavailable(cohort, one, first)
    ]  # fmt: skip
    caption = prose("{}, by lesion. {}", cohort_title(name), first.why)
    lines = cohort.ordered if measures else []
    return measured(f"{name}-lesions-{first.pipeline}", caption, lines, {"Method": cohort.label}, measures)


def _is_unavailable(cohort: CohortResults, metric: str, first: Headline) -> bool:
    """Whether no method can have it; the table above says why."""
    numbers = cohort.numbers(metric, first.pipeline, first.protocol)
    return all(numbers[method].unavailable for method in cohort.seeds)


def _seed_count(cohort: CohortResults, method: str) -> str:
    there, planned = cohort.of(method)["seed"].nunique(), cohort.seeds[method]
    return str(there) if there == planned else f"{there} of {planned}"


def _seed_range(number: Number) -> str:
    return f"{number.lowest_seed:.3f} to {number.highest_seed:.3f}" if number.seeds > 1 else BLANK

"""Sections of each lesion cohort's numbers: leaderboards, Dice by choice, and loss by field of view."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from math import isnan, nan

from benchmark.metrics import METRICS
from benchmark.study.cells import PERFECT_MAP
from reports.markup.markdown import MISSING, UNDEFINED, escape, github_table
from reports.model.cohort_results import CohortResults, Number
from reports.model.ranking import Headline, Ranking, headlines, ranking_of_headline, sees_test
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import Column, markdown_table, metric_column, metric_title, seconds_column

LEGEND = (
    "Numbers are means over patients (a patient's scans first) and training seeds; (sd) is the spread over patients. "
    "`[a/b]`: over a of b patients, all planned seeds counted; the others are undefined or missing under some seed. "
    "`n/a`: undefined. `-`: missing, not computed. **Bold**: best of its column among the methods, simple baselines "
    "included; nothing where the best is not over all patients. It says nothing of significance. A simple baseline is "
    "what any method has to beat. The perfect map is the ground truth itself sent through the same post-processing: "
    "what that leaves of a flawless answer. It is no method and takes no part in the order; where lesions are small, a "
    "map that is too large can come out ahead of it. Supervision is the most that a map has seen; what chose its "
    "threshold stands under Data cards. Intervals and ranks are made as in At a glance, under this choice: all but the "
    "release's endpoints is exploratory. Of lesions, what is not *bounded* is never bold: one component over much of "
    "the brain can find every lesion by it, without a false positive."
)
LED_BY_ONE_COMPONENT = ("lesion_recall", "lesion_precision", "lesion_f1", "false_alarms", "froc", "froc_at_1")
"""Numbers of components that one component over much of the brain can lead: never bold."""
CUT_OFF, LOST = "lesion_outside_grid_ml", "lesion_lost_ml"
UPPER = (
    "Upper bound of the pooled Dice, never ranked: this threshold has seen the test labels. The mean over patients "
    "can still be lower than under another threshold."
)


def leaderboards(results: RunResults) -> str:
    if not results.lesion:
        return ""
    parts = [results.heading("Leaderboards"), LEGEND]
    for name, cohort in results.lesion.items():
        parts += [results.heading(cohort_title(name), 3), *cohort.caution_lines]
        for first in headlines(results, cohort):
            ranking = ranking_of_headline(results, name, first)
            order = "As they are ranked." if cohort.rankable else "In the order of the study."
            parts += [f"{first.why} {order}", leaderboard(cohort, first, ranking)]
            parts += filter(None, [lesion_table(cohort, first.pipeline, first.protocol)])
    return "\n\n".join(parts)


def dice_matrices(results: RunResults) -> str:
    """Thresholds that see test labels stand apart, and nowhere while the test split is closed."""
    if not results.lesion:
        return ""
    parts = [results.heading("Mean Dice by post-processing and threshold")]
    pipelines, protocols = results.scoring.postprocessing, results.scoring.protocols
    deployable, upper = ([name for name in protocols if sees_test(name) is seen] for seen in (False, True))
    for name, cohort in results.lesion.items():
        parts += [results.heading(cohort_title(name), 3), *cohort.caution_lines]
        if deployable:
            parts.append(dice_table(cohort, pipelines, deployable, marked=True))
        if upper and not results.validation:
            parts += [UPPER, dice_table(cohort, pipelines, upper, marked=False)]
    return "\n\n".join(parts)


def field_of_view(results: RunResults) -> str:
    if not results.lesion:
        return ""
    return "\n\n".join(
        [
            results.heading("Loss by field of view"),
            "Lesion outside the grid's box, and lesions too small to leave a voxel on the grid, cannot be found and "
            "count as missed in every number above.",
            cut_off_table(results.lesion),
        ]
    )


def leaderboard(cohort: CohortResults, first: Headline, ranking: Ranking | None = None) -> str:
    """A line a method, the perfect map below all; numbers of lesion cases.

    Args:
        ranking: the headline's choice with intervals and ranks; None where it is not summarised.
    """
    pipeline, protocol, title = first.pipeline, first.protocol, METRICS[first.metric].title
    endpoint = metric_column(cohort, f"{title} (sd)", first.metric, pipeline, protocol)
    columns = [
        replace(endpoint, show=_with_sd),
        *_interval_and_rank(endpoint, ranking),
        metric_column(cohort, "AUPRC", "auprc", pipeline),
        metric_column(cohort, "AUROC", "auroc", pipeline),
        metric_column(cohort, "Precision", "precision", pipeline, protocol),
        metric_column(cohort, "Recall", "recall", pipeline, protocol),
        metric_column(cohort, "False alarms > 10 mm", "alarm_fraction_far", pipeline, protocol),
        metric_column(cohort, "AUPRC pooled", "auprc_pooled", pipeline),
        metric_column(cohort, "l1 ratio", "l1_ratio"),
        seconds_column(cohort, "s a volume"),
    ]
    lead: dict[str, Callable[[Hashable], str]] = {"Method": cohort.label}
    if cohort.supervision:
        lead["Supervision"] = cohort.supervision_of
    lead["Patients"] = cohort.patients_of
    if max(cohort.seeds.values()) > 1:
        lead["Seeds"] = lambda method: "" if method == PERFECT_MAP else _seed_count(cohort, str(method))
        lead[f"{title} over seeds"] = lambda method: _seed_range(endpoint.numbers[method])
    return markdown_table(cohort.ordered, lead, columns)


def _interval_and_rank(endpoint: Column, ranking: Ranking | None) -> list[Column]:
    if ranking is None:
        return []
    known = set(ranking.methods)
    lines = [line for line in endpoint.numbers if line in known]
    blank: dict[Hashable, str] = {line: "" if line == PERFECT_MAP else MISSING for line in endpoint.numbers}
    intervals = {line: ranking.interval_text(str(line)) for line in lines}
    ranks = {line: ranking.rank_text(str(line)) for line in lines}
    title = f"{100 * ranking.first['level']:.0f} % interval"
    return [
        Column(title, endpoint.numbers, texts=blank | intervals),
        Column("Rank", endpoint.numbers, texts=blank | ranks),
    ]


def dice_table(cohort: CohortResults, pipelines: Sequence[str], protocols: Sequence[str], *, marked: bool) -> str:
    """Mean Dice of every method under every choice; the best is bold only where it is to be `marked`."""
    columns = [
        metric_column(cohort, f"{pipeline}, {protocol}", "dice", pipeline, protocol)
        for pipeline in pipelines
        for protocol in protocols
    ]
    if not marked:
        columns = [replace(column, higher_is_better=None) for column in columns]
    return markdown_table([*cohort.seeds, PERFECT_MAP], {"Method": cohort.label}, columns)


def cut_off_table(cohorts: Mapping[str, CohortResults]) -> str:
    """How much of the lesions the grid does not show, a line a cohort; the same for all methods."""

    def cells(title: str) -> Sequence[str]:
        cohort, patients = cohorts[title], cohorts[title].patients
        whole = _first_known(cohort.numbers("lesion_ml", kind="mean"))
        if isnan(whole):
            return [MISSING] * 8
        return [str(patients), f"{whole:.2f}", *unseen(cohort, CUT_OFF), *unseen(cohort, LOST)]

    def unseen(cohort: CohortResults, metric: str) -> Sequence[str]:
        mean, most, share = (_first_known(cohort.numbers(metric, kind=kind)) for kind in ("mean", "maximum", "share"))
        if isnan(mean):
            return [MISSING] * 3
        return [f"{mean:.2f}", f"{most:.2f}", f"{round(share * cohort.patients)} of {cohort.patients}"]

    headers = ["Cohort", "Patients", "Lesion ml, mean"]
    headers += [f"{what}, {of}" for what in ("Cut off", "Too small") for of in ("ml mean", "ml most", "patients")]
    return github_table(headers, [[escape(title), *cells(title)] for title in cohorts], 1)


def _first_known(numbers: Mapping[Hashable, Number]) -> float:
    """Of what is the same for all methods; NaN where no method has it."""
    return next((one.value for one in numbers.values() if one.defined), nan)


def _with_sd(number: Number) -> str:
    sd = UNDEFINED if isnan(number.sd) else f"{number.sd:.3f}"
    return f"{number.value:.3f} ({sd})"


def _seed_count(cohort: CohortResults, method: str) -> str:
    there, planned = cohort.of(method)["seed"].nunique(), cohort.seeds[method]
    return str(there) if there == planned else f"{there} of {planned}"


def _seed_range(number: Number) -> str:
    return f"{number.lowest_seed:.3f} to {number.highest_seed:.3f}" if number.seeds > 1 else MISSING


def lesion_table(cohort: CohortResults, pipeline: str, protocol: str) -> str:
    """Lesions and surfaces instead of voxels; "" where none of it is computed."""
    wanted = ("lesion_recall_bounded", "lesion_f1_bounded", *LED_BY_ONE_COMPONENT[:4], "hd95", "surface_dice", "regret")
    there = cohort.metrics
    there -= {name for name in wanted if _is_unavailable(cohort, name, pipeline, protocol)}
    known = [name for name in wanted if name in there]
    columns = [metric_column(cohort, metric_title(name), name, pipeline, protocol) for name in known]
    whole = [name for name in (*LED_BY_ONE_COMPONENT[4:], "oracle_dice") if name in there]
    columns += [metric_column(cohort, metric_title(name), name, pipeline) for name in whole]
    unmarked = (*LED_BY_ONE_COMPONENT, "oracle_dice")
    columns = [
        replace(one, higher_is_better=None) if name in unmarked else one
        for name, one in zip([*known, *whole], columns, strict=True)
    ]
    return markdown_table(cohort.ordered, {"Method": cohort.label}, columns) if columns else ""


def _is_unavailable(cohort: CohortResults, metric: str, pipeline: str, protocol: str) -> bool:
    """Whether no method can have it; the table above says why."""
    numbers = cohort.numbers(metric, pipeline, protocol)
    return all(numbers[method].unavailable for method in cohort.seeds)

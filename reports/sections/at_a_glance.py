"""glance: the answer first: each lesion cohort's methods by their ranks, in the few columns that a first look needs."""

from collections.abc import Callable, Hashable
from dataclasses import replace

from benchmark.metrics import METRICS
from reports.markup.markdown import MISSING, escape
from reports.model.cohort_results import Board
from reports.model.numbers import PERFECT_MAP
from reports.model.ranking import ONLY_WEIGHTS, OPEN, SHORT, Decided, Headline, answer, choice_told, decided, headlines
from reports.model.run_results import Findings, cohort_title
from reports.sections.cohort_tables import ranked
from reports.sections.columns import Column, Lead, markdown_table, metric_column, seconds_column

LEGEND = (
    "Rank: those that the tests leave open, all at once at 95 %; `-`: nothing of it can be tested. **Bold**: the best; "
    f"{OPEN}: not shown to differ from it. Interval {ONLY_WEIGHTS}: of these weights alone, "
    f"since the recipe has under 3 seeds; {SHORT}: such intervals covered less than 93 % in simulations. "
    "Far alarms: alarmed share of the brain more than 10 mm from the lesion. `-`: missing, not computed."
)


def glance(findings: Findings) -> str:
    """Markdown; cohorts with patients enough to rank by first; "" where there is no lesion cohort."""
    if not findings.lesion:
        return ""
    ordered = sorted(findings.lesion.items(), key=lambda item: not item[1].testable)
    parts = [part for name, board in ordered for part in _cohort(findings, name, board)]
    legend = [LEGEND] if any(decided(findings, name) is not None for name in findings.lesion) else []
    return "\n\n".join([findings.heading("At a glance"), *parts, *legend])


def _cohort(findings: Findings, name: str, board: Board) -> list[str]:
    found = decided(findings, name)
    caution = f" **{board.caution}**" if board.caution else ""
    if found is None:
        first = headlines(findings, board)[0]
        threshold = f"threshold `{escape(first.protocol)}`" if first.protocol else "no threshold"
        told = f"**{cohort_title(name)}**: post-processing `{first.chain}`, {threshold}.{caution}"
        return [told, markdown_table(ranked(board, first.chain), short_lead(board), short_columns(board, first))]
    said = answer(board, found)
    told = f"**{cohort_title(name)}**, {_patients(board)}. {said}".rstrip() + caution
    return [f"{told} {choice_told(found)}.", standing_table(board, found)]


def standing_table(board: Board, found: Decided) -> str:
    """A line a method by its ranks, and below them what has no rank and the perfect map."""
    return markdown_table(standing_order(board, found), standing_lead(board, found), standing_columns(board, found))


def standing_order(board: Board, found: Decided) -> list[Hashable]:
    """By rank sets, ties by the mean; where nothing is ranked in the study's order; the perfect map last."""
    rest = [method for method in board.seeds if method not in found.ranks and method not in board.labelled]
    return [*found.ranks, *rest, *board.labelled, PERFECT_MAP]


def standing_lead(board: Board, found: Decided) -> Lead[Hashable]:
    lead: dict[str, Callable[[Hashable], str]] = {
        "Method": board.label,
        "Rank": lambda method: "" if method == PERFECT_MAP else found.rank_text(str(method)),
    }
    if found.ranks:
        return lead
    return {"Method": board.label, "n": board.patients_of}


def standing_columns(board: Board, found: Decided) -> list[Column]:
    """The metric that decides with its interval, then what qualifies it."""
    one = found.first
    metric, chain, protocol = one["metric"], one["postprocessing"], one["protocol"]
    first = metric_column(board, METRICS[metric].title, metric, chain, protocol)
    return [
        replace(first, marks={method: OPEN for method in found.ranks if found.open_to(method)}),
        interval_column(first, found),
        metric_column(board, "AUPRC", "auprc", chain),
        metric_column(board, "Far alarms", "alarm_fraction_far", chain, protocol),
        seconds_column(board, "s/volume"),
    ]


def interval_column(of: Column, found: Decided) -> Column:
    texts = {method: found.interval_text(str(method)) if method in found.methods else MISSING for method in of.numbers}
    return Column(f"{100 * found.first['level']:.0f} % interval", of.numbers, texts={**texts, PERFECT_MAP: ""})


def _patients(board: Board) -> str:
    return f"{board.patients} patient{'s' * (board.patients != 1)}"


def short_columns(board: Board, first: Headline) -> list[Column]:
    chain, protocol = first.chain, first.protocol
    return [
        metric_column(board, "Dice", "dice", chain, protocol),
        metric_column(board, "AUPRC", "auprc", chain),
        metric_column(board, "AUROC", "auroc", chain),
        metric_column(board, "Far alarms", "alarm_fraction_far", chain, protocol),
        seconds_column(board, "s/volume"),
    ]


def short_lead(board: Board) -> Lead[Hashable]:
    lead: dict[str, Callable[[Hashable], str]] = {"Method": board.label, "n": board.patients_of}
    return lead

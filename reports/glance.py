"""glance: each lesion cohort's board in the few columns that a first look needs."""

from collections.abc import Callable, Hashable

from reports.board import Board
from reports.columns import Column, Lead, markdown_table
from reports.findings import Findings, cohort_title
from reports.headline import Headline, headlines
from reports.markup import escape
from reports.tables import metric_column, ranked, seconds_column


def glance(findings: Findings) -> str:
    """Markdown: the first headline of every lesion cohort; "" where there is none."""
    parts = [findings.heading("At a glance")]
    for name, board in findings.lesion.items():
        first = headlines(findings, board)[0]
        threshold = f"threshold `{escape(first.protocol)}`" if first.protocol else "no threshold"
        caution = f" **{board.caution}**" if board.caution else ""
        parts.append(f"**{cohort_title(name)}**: post-processing `{first.chain}`, {threshold}.{caution}")
        parts.append(markdown_table(ranked(board, first.chain), short_lead(board), short_columns(board, first)))
    return "\n\n".join(parts) if findings.lesion else ""


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

"""Sections of each lesion cohort's numbers: leaderboards, Dice by choice, and loss by field of view."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from math import isnan

import numpy as np

from reports.markup.markdown import MISSING, UNDEFINED, escape, github_table
from reports.model.cohort_results import Board
from reports.model.numbers import PERFECT_MAP, Number, geometric_mean, select, select_chain
from reports.model.ranking import Decided, headlines, sees_test, under
from reports.model.run_results import Findings, cohort_title
from reports.sections.columns import NEVER_RANKED, Column, markdown_table, metric_column, metric_title, seconds_column

LEGEND = (
    "Numbers are means over patients (a patient's scans first), then over training seeds; (sd) is the spread over "
    "patients. `[a/b]`: over a of b cases, all seeds counted; the others are undefined or missing. `n/a`: undefined. "
    "`-`: missing, not computed. **Bold**: best of its column among the methods, floors included; nothing where the "
    "best is not over all cases. It says nothing of significance. A floor is what any method has to beat. The perfect "
    "map is the truth itself sent through the same chain: what the chain leaves of a flawless answer. It is no method "
    "and takes no part in the order; where lesions are small, a map that is too large can come out ahead of it. "
    "Supervision is the most that a map has seen; what chose its threshold stands under Data cards. Intervals and "
    "ranks are made as in At a glance, under this choice: all but the primary endpoint is exploratory."
)
UPPER = (
    "Upper bound of the pooled Dice, never ranked: this threshold has seen the test labels. The mean over patients "
    "can still be lower than under another threshold."
)


def leaderboards(findings: Findings) -> str:
    if not findings.lesion:
        return ""
    parts = [findings.heading("Leaderboards"), LEGEND]
    for name, board in findings.lesion.items():
        order = "Sorted by AUPRC." if board.testable else "In the order of the study."
        parts += [findings.heading(cohort_title(name), 3), *board.caution_lines]
        for first in headlines(findings, board):
            found = under(findings, name, "dice", first.chain, first.protocol)
            parts += [f"{first.why} {order}", leaderboard(board, first.chain, first.protocol, found)]
            parts += filter(None, [lesion_table(board, first.chain, first.protocol)])
    return "\n\n".join(parts)


def dice_matrices(findings: Findings) -> str:
    """Thresholds that see test labels stand apart, and nowhere while the test split is closed."""
    if not findings.lesion:
        return ""
    parts = [findings.heading("Mean Dice by post-processing and threshold")]
    chains, protocols = findings.scoring.postprocessing, findings.scoring.protocols
    deployable, upper = ([name for name in protocols if sees_test(name) is seen] for seen in (False, True))
    for name, board in findings.lesion.items():
        parts += [findings.heading(cohort_title(name), 3), *board.caution_lines]
        if deployable:
            parts.append(dice_table(board, chains, deployable, marked=True))
        if upper and not findings.validation:
            parts += [UPPER, dice_table(board, chains, upper, marked=False)]
    return "\n\n".join(parts)


def field_of_view(findings: Findings) -> str:
    if not findings.lesion:
        return ""
    return "\n\n".join(
        [
            findings.heading("Loss by field of view"),
            "Lesion outside the grid's box cannot be found and counts as missed in every number above.",
            cut_off_table(findings.lesion),
        ]
    )


def leaderboard(board: Board, chain: str, protocol: str, found: Decided | None = None) -> str:
    """A line a method in the order of `ranked`, the perfect map below all; numbers of lesion cases.

    Args:
        found: the Dice under the same choice with intervals and ranks; None where it is not summarised.
    """
    dice = metric_column(board, "Dice (sd)", "dice", chain, protocol)
    columns = [
        replace(dice, show=_with_sd),
        *_interval_and_rank(dice, found),
        metric_column(board, "AUPRC", "auprc", chain),
        metric_column(board, "AUROC", "auroc", chain),
        metric_column(board, "Precision", "precision", chain, protocol),
        metric_column(board, "Recall", "recall", chain, protocol),
        metric_column(board, "False alarms > 10 mm", "alarm_fraction_far", chain, protocol),
        metric_column(board, "AUPRC pooled", "auprc_pooled", chain),
        metric_column(board, "l1 ratio", "l1_ratio", statistic=geometric_mean),
        seconds_column(board, "s a volume"),
    ]
    lead: dict[str, Callable[[Hashable], str]] = {"Method": board.label}
    if board.supervision:
        lead["Supervision"] = board.supervision_of
    lead["Patients"] = board.patients_of
    if max(board.seeds.values()) > 1:
        lead["Seeds"] = lambda method: "" if method == PERFECT_MAP else _seed_count(board, str(method))
        lead["Dice over seeds"] = lambda method: _range(dice.numbers[method].seeds)
    return markdown_table(ranked(board, chain), lead, columns)


def _interval_and_rank(dice: Column, found: Decided | None) -> list[Column]:
    if found is None:
        return []
    known = set(found.methods)
    lines = [line for line in dice.numbers if line in known]
    blank: dict[Hashable, str] = {line: "" if line == PERFECT_MAP else MISSING for line in dice.numbers}
    intervals = {line: found.interval_text(str(line)) for line in lines}
    ranks = {line: found.rank_text(str(line)) for line in lines}
    title = f"{100 * found.first['level']:.0f} % interval"
    return [Column(title, dice.numbers, texts=blank | intervals), Column("Rank", dice.numbers, texts=blank | ranks)]


def ranked(board: Board, chain: str) -> list[Hashable]:
    """The methods, best AUPRC first and those without one last; below them what uses labels, then the perfect map.

    Where there are too few patients to rank them by, methods stand in the order of the study.
    """
    areas, labelled = board.numbers("auprc", chain), board.labelled
    methods: list[Hashable] = [method for method in board.seeds if method not in labelled]
    if board.testable:
        methods.sort(key=lambda method: -areas[method].value if areas[method].defined else np.inf)
    return [*methods, *labelled, PERFECT_MAP]


def dice_table(board: Board, chains: Sequence[str], protocols: Sequence[str], *, marked: bool) -> str:
    """Mean Dice of every method under every choice; the best is bold only where it is to be `marked`."""
    columns = [
        metric_column(board, f"{chain}, {protocol}", "dice", chain, protocol)
        for chain in chains
        for protocol in protocols
    ]
    if not marked:
        columns = [replace(column, higher_is_better=None) for column in columns]
    return markdown_table([*board.seeds, PERFECT_MAP], {"Method": board.label}, columns)


def cut_off_table(boards: Mapping[str, Board]) -> str:
    """How much of the lesions lies outside the grid's box, a line a cohort; the same for all methods."""

    def cells(title: str) -> Sequence[str]:
        rows = boards[title].rows.drop_duplicates(["case_id", "metric"])
        whole, lost = (select(rows, name)["value"] for name in ("lesion_ml", "lesion_outside_grid_ml"))
        if lost.empty:
            return [MISSING] * 5
        numbers = (whole.mean(), lost.mean(), lost.max())
        return [str(len(lost)), *(f"{ml:.2f}" for ml in numbers), f"{int((lost > 0).sum())} of {len(lost)}"]

    headers = ["Cohort", "Cases", "Lesion ml, mean", "Cut off ml, mean", "Cut off ml, most", "Cases that lose any"]
    return github_table(headers, [[escape(title), *cells(title)] for title in boards], 1)


def _with_sd(number: Number) -> str:
    sd = UNDEFINED if isnan(number.sd) else f"{number.sd:.3f}"
    return f"{number.value:.3f} ({sd})"


def _seed_count(board: Board, method: str) -> str:
    there, planned = board.of(method)["seed"].nunique(), board.seeds[method]
    return str(there) if there == planned else f"{there} of {planned}"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3f} to {max(values):.3f}" if len(values) > 1 else MISSING


def lesion_table(board: Board, chain: str, protocol: str) -> str:
    """Lesions and surfaces instead of voxels; "" where none of it is computed."""
    wanted = ("lesion_recall", "lesion_precision", "lesion_f1", "false_alarms", "hd95", "surface_dice", "regret")
    there = set(select_chain(board.rows, chain)["metric"])
    known = [name for name in wanted if name in there]
    columns = [metric_column(board, metric_title(name), name, chain, protocol) for name in known]
    whole = [name for name in ("froc", "froc_at_1", "oracle_dice") if name in there]
    columns += [metric_column(board, metric_title(name), name, chain) for name in whole]
    columns = [replace(one, higher_is_better=None) if one.title.endswith(NEVER_RANKED) else one for one in columns]
    return markdown_table(ranked(board, chain), {"Method": board.label}, columns) if columns else ""

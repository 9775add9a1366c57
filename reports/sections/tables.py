"""The report's tables, as Markdown; nothing is computed here but means, medians, spreads and counts."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from math import isnan, nan

import numpy as np
import pandas as pd

from benchmark.metrics import METRICS
from reports.markup.markdown import MISSING, UNDEFINED, escape, github_table
from reports.model.cohort_results import Board
from reports.model.numbers import PERFECT_MAP, Number, Statistic, geometric_mean, of_cases, select
from reports.model.ranking import Decided
from reports.sections.columns import Column, markdown_table


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


def metric_column(
    board: Board, title: str, metric: str, chain: str = "", protocol: str = "", statistic: Statistic = pd.Series.mean
) -> Column:
    """A metric of all methods; the best is marked where there are patients enough to tell."""
    numbers = board.numbers(metric, chain, protocol, statistic)
    higher_is_better = METRICS[metric].higher_is_better if board.testable else None
    return Column(title, numbers, higher_is_better, unranked=board.labelled)


def seconds_column(board: Board, title: str) -> Column:
    lower_is_better = False if board.testable else None
    return Column(title, board.seconds(), lower_is_better, lambda number: f"{number.value:.2f}", board.labelled)


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


def alarm_table(board: Board, chains: Sequence[str], protocol: str) -> str:
    """What is raised in healthy scans, a line a method and chain; the scan is the unit."""
    lines = [(method, chain) for method in board.seeds for chain in ([MISSING] if board.of(method).empty else chains)]

    def column(title: str, metric: str, digits: int, statistic: Statistic = pd.Series.mean) -> Column:
        numbers: dict[Hashable, Number] = {
            (method, chain): board.scan_number(method, metric, chain, protocol, statistic) for method, chain in lines
        }
        return Column(title, numbers, show=lambda one: f"{one.value:.{digits}f}")

    columns = [
        column("Scans with any alarm", "alarm", 2),
        column("Alarms a scan", "alarms", 1),
        column("ml a scan", "alarm_ml", 1),
        column("Alarmed fraction: median", "alarm_fraction", 4, pd.Series.median),
        column("lower quartile", "alarm_fraction", 4, lambda values: float(values.quantile(0.25))),
        column("upper quartile", "alarm_fraction", 4, lambda values: float(values.quantile(0.75))),
    ]
    lead: dict[str, Callable[[tuple[str, str]], str]] = {
        "Method": lambda line: board.label(line[0]),
        "Chain": lambda line: line[1],
        "Scans": lambda line: str(board.of(line[0])["case_id"].replace("", nan).nunique() or MISSING),
    }
    return markdown_table(lines, lead, columns)


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


def nan_table(boards: Mapping[str, Board]) -> str:
    """How often each metric of a case is undefined, over all methods and choices; "" where nothing is."""
    lines = []
    for title, board in boards.items():
        for metric, values in of_cases(board.rows).groupby("metric")["value"]:
            if values.isna().any():
                rule = METRICS[str(metric)].undefined if metric in METRICS else ""
                lines.append([escape(title), escape(str(metric)), f"{values.isna().sum()} of {len(values)}", rule])
    return github_table(["Cohort", "Metric", "Undefined rows", "Undefined where"], lines, 4)


def _with_sd(number: Number) -> str:
    sd = UNDEFINED if isnan(number.sd) else f"{number.sd:.3f}"
    return f"{number.value:.3f} ({sd})"


def _seed_count(board: Board, method: str) -> str:
    there, planned = board.of(method)["seed"].nunique(), board.seeds[method]
    return str(there) if there == planned else f"{there} of {planned}"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3f} to {max(values):.3f}" if len(values) > 1 else MISSING

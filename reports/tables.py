"""Rows to Markdown tables; nothing is computed here but means, medians, spreads and counts."""

import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan, nan
from typing import TypeVar

import numpy as np
import pandas as pd
from tabulate import tabulate

from benchmark.metrics import METRICS

PERFECT_MAP = "perfect-map"
MISSING, UNDEFINED = "-", "n/a"
Statistic = Callable[["pd.Series[float]"], float]
Line = TypeVar("Line", bound=Hashable)


@dataclass(frozen=True)
class Number:
    """One statistic of one method.

    Attributes:
        value: mean over training seeds of a seed's statistic over its patients; NaN if undefined.
        sd: standard deviation over a seed's patients, mean over seeds; NaN for a single patient.
        seeds: each seed's statistic.
        defined, wanted: rows that hold a value, of those that there should be; none wanted means missing.
    """

    value: float
    sd: float
    seeds: tuple[float, ...]
    defined: int
    wanted: int


@dataclass(frozen=True)
class Column:
    """Numbers below one heading, one a line of the table.

    Attributes:
        higher_is_better: the best number is bold; None where none is.
        show: a defined number as text.
    """

    title: str
    numbers: Mapping[Hashable, Number]
    higher_is_better: bool | None = None
    show: Callable[[Number], str] = lambda number: f"{number.value:.3f}"

    def text(self, line: Hashable) -> str:
        """The number, with over how many of how many rows it is unless it is over all."""
        number = self.numbers[line]
        if not number.defined:
            return "" if line == PERFECT_MAP else UNDEFINED if number.wanted else MISSING
        shown = f"**{self.show(number)}**" if line in self._best() else self.show(number)
        return shown if number.defined == number.wanted else f"{shown} [{number.defined}/{number.wanted}]"

    def _best(self) -> list[Hashable]:
        """Where the best of the complete numbers stands, equal ones too; nowhere if all are equal."""
        rivals = {
            line: round(number.value, 3)
            for line, number in self.numbers.items()
            if line != PERFECT_MAP and 0 < number.defined == number.wanted
        }
        if self.higher_is_better is None or len(set(rivals.values())) < 2:
            return []
        best = max(rivals.values()) if self.higher_is_better else min(rivals.values())
        return [line for line, value in rivals.items() if value == best]


@dataclass(frozen=True)
class Board:
    """What the tables of one cohort are made of.

    Attributes:
        rows, timing: of one cohort and one split, as `read_rows` gives them.
        seeds: how many training seeds each method was to have, in the order of the study.
        floors: the methods that any other has to beat.
    """

    rows: pd.DataFrame
    timing: pd.DataFrame
    seeds: Mapping[str, int]
    floors: Collection[str] = ()

    def of(self, method: Hashable) -> pd.DataFrame:
        return self.rows[self.rows["method"] == method]

    def numbers(
        self, metric: str, chain: str = "", protocol: str = "", statistic: Statistic = pd.Series.mean
    ) -> dict[Hashable, Number]:
        """A metric of every method and, last, of the perfect map, which knows no protocol."""
        numbers: dict[Hashable, Number] = {
            method: number(self.of(method), metric, chain, protocol, statistic=statistic, seeds=self.seeds[method])
            for method in self.seeds
        }
        return numbers | {PERFECT_MAP: number(self.of(PERFECT_MAP), metric, chain, statistic=statistic)}

    def label(self, method: Hashable) -> str:
        """The name as Markdown; a floor and the ceiling are marked as such."""
        if method == PERFECT_MAP:
            return "*perfect map (ceiling)*"
        return escape(str(method)) + (" (floor)" if method in self.floors else "")


def number(
    rows: pd.DataFrame,
    metric: str,
    chain: str = "",
    protocol: str = "",
    *,
    statistic: Statistic = pd.Series.mean,
    unit: str = "subject_id",
    seeds: int = 1,
) -> Number:
    """A statistic over the units of each seed, then its mean over seeds; a unit's scans are averaged first.

    Args:
        rows: everything of one method in one cohort and split; says how many cases there are.
        unit: the column that tells the units apart.
        seeds: how many there were to be; rows of those that are not there are wanted too.
    """
    found = select(rows, metric, chain, protocol)
    if found.empty and not _undefined(rows, metric, chain, protocol):
        return Number(nan, nan, (), 0, 0)
    units = found.dropna(subset="value").groupby(["seed", unit], dropna=False)["value"].mean()
    parts = [values for _, values in units.groupby(level="seed", dropna=False)]
    return Number(
        value=_mean([float(statistic(values)) for values in parts]),
        sd=_mean([float(values.std()) for values in parts]),
        seeds=tuple(float(statistic(values)) for values in parts),
        defined=len(found.dropna(subset="value")),
        wanted=_wanted(rows, metric, seeds),
    )


def select(rows: pd.DataFrame, metric: str, chain: str = "", protocol: str = "") -> pd.DataFrame:
    chosen = (rows["metric"] == metric) & (rows["postprocessing"] == chain) & (rows["protocol"] == protocol)
    return rows[chosen]


def lesion_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases that have a lesion, and those of no single case."""
    return rows[rows["case_id"].isin(_with_lesion(rows)) | (rows["case_id"] == "")]


def healthy_cases(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows of cases without lesion, and those of no single case."""
    return rows[~rows["case_id"].isin(_with_lesion(rows))]


def geometric_mean(values: "pd.Series[float]") -> float:
    """For ratios; 0 where one of them is."""
    with np.errstate(divide="ignore"):
        return float(np.exp(np.log(values.to_numpy()).mean()))


def leaderboard(board: Board, chain: str, protocol: str) -> str:
    """A line a method, best AUPRC first, the perfect map below all; numbers of lesion cases."""
    columns = [
        Column("Dice (sd)", board.numbers("dice", chain, protocol), True, _with_sd),
        _column(board, "AUPRC", "auprc", chain),
        _column(board, "AUROC", "auroc", chain),
        _column(board, "Precision", "precision", chain, protocol),
        _column(board, "Recall", "recall", chain, protocol),
        _column(board, "False alarms > 10 mm", "alarm_fraction_far", chain, protocol),
        _column(board, "AUPRC pooled", "auprc_pooled", chain),
        Column("l1 ratio", board.numbers("l1_ratio", statistic=geometric_mean), True),
        Column("s a volume", _seconds(board), False, lambda number: f"{number.value:.2f}"),
    ]
    order = [*_best_first(columns[1].numbers), PERFECT_MAP]
    lead = {"Method": board.label, "Patients": lambda method: patients(board.of(method))}
    if max(board.seeds.values()) > 1:
        dice = columns[0].numbers
        lead["Seeds"] = lambda method: "" if method == PERFECT_MAP else _seed_count(board, str(method))
        lead["Dice over seeds"] = lambda method: _range(dice[method].seeds)
    return markdown_table(order, lead, columns)


def dice_table(board: Board, chains: Sequence[str], protocols: Sequence[str], *, ranked: bool) -> str:
    """Mean Dice of every method under every choice; without ranks nothing is bold."""
    columns = [
        Column(f"{chain}, {protocol}", board.numbers("dice", chain, protocol), True if ranked else None)
        for chain in chains
        for protocol in protocols
    ]
    return markdown_table([*board.seeds, PERFECT_MAP], {"Method": board.label}, columns)


def alarm_table(board: Board, chains: Sequence[str], protocol: str) -> str:
    """What is raised in healthy scans, a line a method and chain; the scan is the unit."""

    lines = [(method, chain) for method in board.seeds for chain in chains]

    def column(title: str, metric: str, digits: int, statistic: Statistic = pd.Series.mean) -> Column:
        numbers: dict[Hashable, Number] = {
            (method, chain): number(
                board.of(method),
                metric,
                chain,
                protocol,
                statistic=statistic,
                unit="case_id",
                seeds=board.seeds[method],
            )
            for method, chain in lines
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


def l1_table(boards: Mapping[str, Board]) -> str:
    """Mean l1 of each method's reconstructions, a column a healthy cohort."""
    board = next(iter(boards.values()))
    columns = [
        Column(escape(title), one.numbers("l1"), show=lambda number: f"{number.value:.4f}")
        for title, one in boards.items()
    ]
    return markdown_table(list(board.seeds), {"Method": board.label}, columns)


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
    return _tabulated(headers, [[escape(title), *cells(title)] for title in boards], 1)


def nan_table(boards: Mapping[str, Board]) -> str:
    """How often each metric of a case is undefined, over all methods and choices; "" where nothing is."""
    lines = []
    for title, board in boards.items():
        for metric, values in board.rows[board.rows["case_id"] != ""].groupby("metric")["value"]:
            if values.isna().any():
                rule = METRICS[str(metric)].what if metric in METRICS else ""
                lines.append([escape(title), escape(str(metric)), f"{values.isna().sum()} of {len(values)}", rule])
    return _tabulated(["Cohort", "Metric", "Undefined rows", "What it is"], lines, 4)


def patients(rows: pd.DataFrame) -> str:
    """How many there are, and of how many scans if that is another number."""
    of_cases = rows[rows["case_id"] != ""]
    subjects, cases = of_cases["subject_id"].nunique(), of_cases["case_id"].nunique()
    if not cases:
        return MISSING
    return str(subjects) if subjects == cases else f"{subjects} ({cases} scans)"


def markdown_table(lines: Iterable[Line], lead: Mapping[str, Callable[[Line], str]], columns: Sequence[Column]) -> str:
    """A GitHub table: under `lead`'s headings what its functions make of a line, then the columns' numbers."""
    body = [[*(cell(line) for cell in lead.values()), *(column.text(line) for column in columns)] for line in lines]
    return _tabulated([*lead, *(column.title for column in columns)], body, len(lead))


def escape(text: str) -> str:
    """Text that Markdown shows as it is written, in tables too."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text.replace("\n", " "))


def _tabulated(headers: Sequence[str], body: Sequence[Sequence[str]], texts: int) -> str:
    """The first `texts` columns are text, all others numbers."""
    if not body:
        return ""
    aligned = ["left"] * texts + ["right"] * (len(headers) - texts)
    return tabulate(body, headers, tablefmt="github", disable_numparse=True, colalign=aligned)


def _column(board: Board, title: str, metric: str, chain: str, protocol: str = "") -> Column:
    return Column(title, board.numbers(metric, chain, protocol), METRICS[metric].higher_is_better)


def _with_sd(number: Number) -> str:
    sd = UNDEFINED if isnan(number.sd) else f"{number.sd:.3f}"
    return f"{number.value:.3f} ({sd})"


def _seconds(board: Board) -> dict[Hashable, Number]:
    """Medians, since the first volumes warm the device up; the perfect map takes no time."""
    times: dict[Hashable, Number] = {}
    for method, seeds in {**board.seeds, PERFECT_MAP: 1}.items():
        rows = board.timing[board.timing["method"] == method]
        times[method] = number(rows, "seconds", statistic=pd.Series.median, unit="case_id", seeds=seeds)
    return times


def _best_first(numbers: Mapping[Hashable, Number]) -> list[Hashable]:
    """The methods, highest value first; those without one last, as they stood."""
    methods = [method for method in numbers if method != PERFECT_MAP]
    return sorted(methods, key=lambda method: -numbers[method].value if numbers[method].defined else np.inf)


def _seed_count(board: Board, method: str) -> str:
    there, planned = board.of(method)["seed"].nunique(), board.seeds[method]
    return str(there) if there == planned else f"{there} of {planned}"


def _range(values: Sequence[float]) -> str:
    return f"{min(values):.3f} to {max(values):.3f}" if len(values) > 1 else MISSING


def _undefined(rows: pd.DataFrame, metric: str, chain: str, protocol: str) -> bool:
    """Whether a metric without any row is undefined: there is no threshold, or no reconstruction."""
    if protocol:
        return not select(rows, "threshold", chain, protocol).empty
    return metric in ("l1", "l1_ratio") and not rows.empty


def _wanted(rows: pd.DataFrame, metric: str, seeds: int) -> int:
    per_case = METRICS[metric].per == "case"
    counted = rows[rows["case_id"] != ""] if per_case else rows
    there = len(counted.drop_duplicates(["seed", "sampling_seed", *(["case_id"] if per_case else [])]))
    return there * seeds // max(rows["seed"].nunique(), 1)


def _with_lesion(rows: pd.DataFrame) -> "pd.Series[str]":
    return rows.loc[rows["metric"].isin(["lesion_ml", "dice"]), "case_id"]


def _mean(values: Sequence[float]) -> float:
    """Of those that are defined; NaN where none is."""
    known = [value for value in values if not isnan(value)]
    return float(np.mean(known)) if known else nan

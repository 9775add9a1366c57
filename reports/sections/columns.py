"""Measure: one number of each line of a table, the best of them marked; and tables made of measures."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import nan
from typing import TypeVar

from benchmark.metrics import METRICS
from benchmark.study.cells import PERFECT_MAP
from reports.content.table import BLANK, UNDEFINED, Cell, Column, Stamp, Table, said, text_columns
from reports.content.text import Text
from reports.model.cohort_results import CohortResults, Number

Line = TypeVar("Line", bound=Hashable)
Lead = Mapping[str, Callable[[Line], "Text | str"]]
"""Headings of a table's first columns, and what stands below them in a line."""


@dataclass(frozen=True)
class Measure:
    """Numbers below one heading, one a line of the table.

    Attributes:
        marked: whether the best number is, in the column's direction.
        unranked: lines that are never the best; the perfect map is none of the rivals anyway.
        ends: of a line's interval.
        notes: what stands behind a line's number.
    """

    column: Column
    numbers: Mapping[Hashable, Number]
    marked: bool = True
    unranked: Collection[Hashable] = ()
    ends: Mapping[Hashable, tuple[float, float]] = field(default_factory=dict)
    notes: Mapping[Hashable, str] = field(default_factory=dict)

    @cached_property
    def cells(self) -> Mapping[Hashable, Cell]:
        """By line, each with over how many of how many patients it is unless it is over all."""
        best = self._best()
        return {line: self._cell(line, one, line in best) for line, one in self.numbers.items()}

    def _cell(self, line: Hashable, number: Number, best: bool) -> Cell:
        if not number.defined:
            absent = number.unavailable or (UNDEFINED if number.wanted else BLANK)
            return Cell(absent=BLANK if line == PERFECT_MAP else absent)
        low, high = self.ends.get(line, (nan, nan))
        over = "" if number.defined == number.wanted else f"[{number.defined}/{number.wanted}]"
        return Cell(number.value, low, high, note=" ".join(filter(None, [self.notes.get(line), over])), best=best)

    def _best(self) -> list[Hashable]:
        """Where the best number stands, equal ones too; nowhere if all are equal or it lacks patients."""
        aside = {PERFECT_MAP, *self.unranked}
        rivals = {line: one for line, one in self.numbers.items() if line not in aside and one.defined}
        values = {line: round(one.value, self.column.digits) for line, one in rivals.items()}
        higher = self.column.higher_is_better
        if not self.marked or higher is None or len(set(values.values())) < 2:
            return []
        first = max(values.values()) if higher else min(values.values())
        best = [line for line, value in values.items() if value == first]
        return best if all(rivals[line].defined == rivals[line].wanted for line in best) else []


@dataclass(frozen=True)
class Given:
    """Cells below one heading that are no numbers of one metric."""

    column: Column
    cells: Mapping[Hashable, Cell]


def measured(
    name: str,
    caption: Text,
    lines: Iterable[Line],
    lead: Lead[Line],
    columns: Sequence[Measure | Given],
    stamp: Stamp = "exploratory",
) -> Table:
    """A table: under `lead`'s headings what its functions make of a line, then the columns' cells.

    A column in which nothing stands is left out, and one that equals another is named in the caption.
    """
    there = [one for one in columns if any(cell.shown(one.column) for cell in one.cells.values())]
    rows = [[*(said(text(line)) for text in lead.values()), *(one.cells[line] for one in there)] for line in lines]
    titles = [*text_columns(*lead), *(one.column for one in there)]
    return Table(name, caption, titles, rows, stamp=stamp).without_doubles()


def metric_measure(
    cohort: CohortResults, title: str, metric: str, pipeline: str = "", protocol: str = "", *, marked: bool = True
) -> Measure:
    """A metric of all methods; the best is marked where there are patients enough to tell."""
    column = Column(title, METRICS[metric].unit, METRICS[metric].higher_is_better)
    numbers = cohort.numbers(metric, pipeline, protocol)
    return Measure(column, numbers, marked and cohort.rankable, cohort.aside)


def seconds_measure(cohort: CohortResults, title: str = "Time a volume") -> Measure:
    return Measure(Column(title, "s", False, 2), cohort.seconds(), cohort.rankable, cohort.aside)


NEVER_RANKED = ", never ranked"


def metric_title(name: str) -> str:
    """What has seen the test labels says so."""
    return METRICS[name].title + (NEVER_RANKED if name == "oracle_dice" else "")

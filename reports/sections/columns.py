"""Column: one number per line below a heading, the best of them bold; and Markdown tables made of columns."""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from benchmark.metrics import METRICS
from benchmark.study.cells import PERFECT_MAP
from reports.markup.markdown import MISSING, UNDEFINED, github_table
from reports.model.cohort_results import CohortResults, Number

Line = TypeVar("Line", bound=Hashable)
Lead = Mapping[str, Callable[[Line], str]]
"""Headings of a table's first columns, and what stands below them in a line."""


@dataclass(frozen=True)
class Column:
    """Numbers below one heading, one a line of the table.

    Attributes:
        higher_is_better: the best number is bold; None where none is.
        show: a defined number as text.
        unranked: lines that are never the best; the perfect map is none of the rivals anyway.
        marks: what stands behind a line's number.
        texts: lines that are told otherwise than by their number.
    """

    title: str
    numbers: Mapping[Hashable, Number]
    higher_is_better: bool | None = None
    show: Callable[[Number], str] = lambda number: f"{number.value:.3f}"
    unranked: Collection[Hashable] = ()
    marks: Mapping[Hashable, str] = field(default_factory=dict)
    texts: Mapping[Hashable, str] = field(default_factory=dict)

    def text(self, line: Hashable) -> str:
        """The number, with over how many of how many patients it is unless it is over all."""
        if line in self.texts:
            return self.texts[line]
        number = self.numbers[line]
        if not number.defined:
            return "" if line == PERFECT_MAP else number.unavailable or (UNDEFINED if number.wanted else MISSING)
        shown = f"**{self.show(number)}**" if line in self._best() else self.show(number)
        shown += f" {self.marks[line]}" if line in self.marks else ""
        return shown if number.defined == number.wanted else f"{shown} [{number.defined}/{number.wanted}]"

    def _best(self) -> list[Hashable]:
        """Where the best number stands, equal ones too; nowhere if all are equal or it lacks patients."""
        aside = {PERFECT_MAP, *self.unranked}
        rivals = {line: one for line, one in self.numbers.items() if line not in aside and one.defined}
        values = {line: round(one.value, 3) for line, one in rivals.items()}
        if self.higher_is_better is None or len(set(values.values())) < 2:
            return []
        first = max(values.values()) if self.higher_is_better else min(values.values())
        best = [line for line, value in values.items() if value == first]
        return best if all(rivals[line].defined == rivals[line].wanted for line in best) else []


def markdown_table(lines: Iterable[Line], lead: Lead[Line], columns: Sequence[Column]) -> str:
    """A GitHub table: under `lead`'s headings what its functions make of a line, then the columns' numbers."""
    return github_table(headings(lead, columns), cells(lines, lead, columns), len(lead))


def headings(lead: Lead[Line], columns: Sequence[Column]) -> list[str]:
    return [*lead, *(column.title for column in columns)]


def cells(lines: Iterable[Line], lead: Lead[Line], columns: Sequence[Column]) -> list[list[str]]:
    """The table's text as Markdown, line by line."""
    return [[*(cell(line) for cell in lead.values()), *(column.text(line) for column in columns)] for line in lines]


ONLY_HERE = {
    "better here": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse here": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "equivalent here": "=",
}
"""Signs of what holds under this endpoint of two alone: in brackets."""
SIGNS = {
    "better": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "equivalent": "=",
    **{state: f"({sign})" for state, sign in ONLY_HERE.items()},
    "not separable": "?",
    "not testable": MISSING,
}


def metric_column(
    cohort: CohortResults,
    title: str,
    metric: str,
    pipeline: str = "",
    protocol: str = "",
) -> Column:
    """A metric of all methods; the best is marked where there are patients enough to tell."""
    higher_is_better = METRICS[metric].higher_is_better if cohort.rankable else None
    return Column(title, cohort.numbers(metric, pipeline, protocol), higher_is_better, unranked=cohort.aside)


def seconds_column(cohort: CohortResults, title: str) -> Column:
    lower_is_better = False if cohort.rankable else None
    return Column(title, cohort.seconds(), lower_is_better, lambda number: f"{number.value:.2f}", cohort.aside)


NEVER_RANKED = ", never ranked"


def metric_title(name: str) -> str:
    """With its unit; what has seen the test labels says so."""
    unit = METRICS[name].unit
    return METRICS[name].title + (f" ({unit})" if unit else "") + (NEVER_RANKED if name == "oracle_dice" else "")

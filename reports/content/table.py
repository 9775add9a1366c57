"""Table: typed columns and cells, made once and written by every format."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isnan, nan
from typing import Literal, TypeVar

from reports.content.text import EMPTY, Text, as_text, joined, prose

Line = TypeVar("Line", bound=Hashable)

UNDEFINED, NOT_TESTABLE, BLANK = "n/a", "-", ""
"""What stands in place of a number: undefined by decision, nothing that a test could tell, not computed."""
MINUS = "\N{MINUS SIGN}"
State = Literal[
    "", "better", "worse", "equivalent", "better here", "worse here", "equivalent here", "not separable", "not testable"
]
Stamp = Literal["", "endpoint", "exploratory"]
SIGNS: dict[str, str] = {
    "better": "\N{BLACK UP-POINTING TRIANGLE}",
    "worse": "\N{BLACK DOWN-POINTING TRIANGLE}",
    "equivalent": "=",
    "better here": "(\N{BLACK UP-POINTING TRIANGLE})",
    "worse here": "(\N{BLACK DOWN-POINTING TRIANGLE})",
    "equivalent here": "(=)",
    "not separable": "?",
    "not testable": NOT_TESTABLE,
}
"""Signs of what a comparison says; in brackets what holds under one of two endpoints alone."""


@dataclass(frozen=True)
class Column:
    """What stands below one heading.

    Attributes:
        unit: of its numbers; "" for none.
        higher_is_better: None where neither direction is.
        digits: behind the point; None for a column of text.
        signed: whether numbers above 0 have their sign.
    """

    title: str
    unit: str = ""
    higher_is_better: bool | None = None
    digits: int | None = 3
    signed: bool = False

    @property
    def is_text(self) -> bool:
        return self.digits is None

    @property
    def heading(self) -> str:
        """The title with unit and direction; it begins with the title."""
        unit = f" ({self.unit})" if self.unit else ""
        arrow = {True: " \N{UPWARDS ARROW}", False: " \N{DOWNWARDS ARROW}", None: ""}[self.higher_is_better]
        return f"{self.title}{unit}{arrow}"

    def number(self, value: float) -> str:
        rounded = round(value, self.digits or 0) + 0.0  # no minus before a zero
        return f"{rounded:{'+' if self.signed else ''},.{self.digits or 0}f}".replace("-", MINUS)


@dataclass(frozen=True)
class Cell:
    """One entry.

    Attributes:
        value: by which a column is sorted; NaN for none.
        low, high: ends of its interval; NaN without one.
        text: shown in place of the number.
        note: shown behind it, such as over how many of how many patients it is.
        state: shown before it, as a sign.
        best: whether it is the best of its column.
        shade: of a heat map, from -3 to 3; None for none.
        absent: shown where there is neither number nor text.
    """

    value: float = nan
    low: float = nan
    high: float = nan
    text: Text = EMPTY
    note: str = ""
    state: State = ""
    best: bool = False
    shade: int | None = None
    absent: str = BLANK

    def shown(self, column: Column) -> Text:
        """All that a reader sees, the same in every format."""
        if self.text:
            return joined([self.text, self.note])
        if isnan(self.value):
            return as_text(SIGNS[self.state] if self.state else self.absent)
        ends = "" if isnan(self.low) else f"({column.number(self.low)} to {column.number(self.high)})"
        number = prose("**{}**" if self.best else "{}", column.number(self.value))
        return joined([SIGNS.get(self.state, ""), number, ends, self.note])


def said(value: object, sort: float = nan) -> Cell:
    """A cell of text."""
    return Cell(sort, text=as_text(value))


def counted(value: float) -> Cell:
    """A whole number as text, which is sorted as a number; blank where there is none."""
    return Cell() if isnan(value) else said(f"{value:,.0f}", value)


@dataclass(frozen=True)
class Table:
    """Cells below columns.

    Attributes:
        name: unlike that of any other table of its report, in lower case with hyphens.
        caption: what the numbers are of.
        headers: how many leading columns name their row.
        stamp: "endpoint" for what was fixed beforehand, "exploratory" for all else, "" for what is no result.
    """

    name: str
    caption: Text
    columns: Sequence[Column]
    rows: Sequence[Sequence[Cell]]
    headers: int = 1
    stamp: Stamp = ""

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def title(self) -> Text:
        """The caption behind its stamp."""
        return joined([prose("*{}:*", self.stamp.capitalize()) if self.stamp else "", self.caption])

    def shown(self) -> list[list[Text]]:
        return [[cell.shown(column) for cell, column in zip(row, self.columns, strict=True)] for row in self.rows]

    def without_doubles(self) -> "Table":
        """Without columns of numbers that equal an earlier one in every row; the caption names them."""
        columns = list(zip(*self.shown(), strict=True))
        kept: list[int] = []
        dropped: list[Text] = []
        for place, cells in enumerate(columns):
            number = not self.columns[place].is_text and any(not isnan(row[place].value) for row in self.rows)
            twin = next((other for other in kept if number and columns[other] == cells), None)
            if twin is None:
                kept.append(place)
            else:
                dropped.append(prose("{} equals {} in every row.", self.columns[place].title, self.columns[twin].title))
        if not dropped:
            return self
        return replace(
            self,
            caption=joined([self.caption, *dropped]),
            columns=[self.columns[place] for place in kept],
            rows=[[row[place] for place in kept] for row in self.rows],
        )


def text_columns(*titles: str) -> list[Column]:
    return [Column(title, digits=None) for title in titles]


def rows_of(lines: Iterable[Line], *cells: Callable[[Line], Cell]) -> list[list[Cell]]:
    """A row a line, a cell a function."""
    return [[cell(line) for cell in cells] for line in lines]

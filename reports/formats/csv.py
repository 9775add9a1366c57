"""CSV format: a line for each cell of each table, its number as it is kept beside its text as it is read."""

from collections.abc import Iterator
from math import isnan
from pathlib import Path

from datasets.io.tables import write_table
from reports.content.blocks import tables_of
from reports.content.table import Table
from reports.document import Document

COLUMNS = ("table", "stamp", "row", "column", "unit", "value", "low", "high", "shown")


def write_csv(document: Document, path: Path) -> None:
    """Write every table of the report, those of the appendix too; cells without anything are left out."""
    write_table(path, COLUMNS, (line for table in tables_of(document.blocks) for line in cell_lines(table)))


def cell_lines(table: Table) -> Iterator[tuple[object, ...]]:
    """A table's cells but those that name a row, which stand in the column `row`, apart by bars."""
    for cells, shown in zip(table.rows, table.shown(), strict=True):
        row = text(" | ".join(map(str, shown[: table.headers])))
        for place in range(table.headers, len(cells)):
            cell, column = cells[place], table.columns[place]
            if shown[place]:
                numbers = ("" if isnan(value) else value for value in (cell.value, cell.low, cell.high))
                where = (text(table.name), table.stamp, row, text(column.title), text(column.unit))
                yield (*where, *numbers, text(str(shown[place])))


def text(value: str) -> str:
    """Text that no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else value

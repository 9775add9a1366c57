"""Tables below a run's `summaries/`: written from dataclasses, read as frames."""

from collections.abc import Iterable
from dataclasses import astuple, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.storage.folder import RunFolder
from datasets.io import tables as csv_tables

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "summaries"


def table_path(run: RunFolder, name: str) -> Path:
    return run.root / FOLDER / f"{name}.csv"


def write_table(run: RunFolder, name: str, kind: type[Any], lines: Iterable[Any]) -> None:
    """Write lines of one dataclass; what is undefined is empty, and without a line only the header is there."""
    path = table_path(run, name)
    csv_tables.write_table(path, [field.name for field in fields(kind)], map(astuple, lines))


def read_summary(run: RunFolder, name: str, kind: type[Any]) -> "pd.DataFrame":
    """The columns of `kind`: its text is never NaN, its numbers are where undefined; no line where there is no file."""
    import pandas as pd

    columns = [field.name for field in fields(kind)]
    text = {field.name: str for field in fields(kind) if field.type is str}
    path = table_path(run, name)
    if not path.is_file():
        return pd.DataFrame({column: pd.Series(dtype=text.get(column, float)) for column in columns})
    numbers = {column: ["", "nan"] for column in columns if column not in text}
    return pd.read_csv(path, dtype=text, na_values=numbers, keep_default_na=False)

"""write_csv: `boards.csv`, every number of the boards with what it is over, for machines."""

from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from benchmark.metrics import METRICS
from datasets.io.tables import write_table
from reports.document import Document
from reports.model.cohort_results import Board
from reports.model.numbers import Number, Statistic, geometric_mean
from reports.model.run_results import Findings

STATISTICS: Mapping[str, Statistic] = {"l1_ratio": geometric_mean}
COLUMNS = ("dataset", "cases", "method", "postprocessing", "protocol", "metric", "value", "sd", "defined", "wanted")


def write_csv(document: Document) -> Path:
    """Write `boards.csv` into the run folder; its path is returned. Missing and undefined numbers are empty."""
    path = document.run.root / "boards.csv"
    write_table(path, COLUMNS, _lines(document.findings))
    return path


def _lines(findings: Findings) -> Iterator[tuple[object, ...]]:
    for cases, boards in (("lesion", findings.lesion), ("healthy", findings.healthy)):
        for name, board in boards.items():
            for chain, protocol, metric in _measured(board):
                statistic = STATISTICS.get(metric, pd.Series.mean)
                numbers = board.numbers(metric, chain, protocol, statistic)
                yield from _numbered((name, cases), (chain, protocol, metric), numbers)


def _numbered(
    where: tuple[str, str], what: tuple[str, str, str], numbers: dict[Hashable, Number]
) -> Iterator[tuple[object, ...]]:
    for method, one in numbers.items():
        if one.defined:
            yield (*where, method, *what, one.value, one.sd, one.defined, one.wanted)


def _measured(board: Board) -> list[tuple[str, str, str]]:
    found = board.rows[["postprocessing", "protocol", "metric"]].drop_duplicates()
    known = found[found["metric"].isin(METRICS)]
    return [tuple(line) for line in known.itertuples(index=False)]

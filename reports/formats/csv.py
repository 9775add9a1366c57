"""write_csv: `boards.csv`, every number of the cohorts with what it is over, for machines."""

from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path

import pandas as pd

from benchmark.metrics import METRICS
from datasets.io.tables import write_table
from reports.document import Document
from reports.model.cohort_results import CohortResults
from reports.model.numbers import Number, Statistic, geometric_mean
from reports.model.run_results import RunResults

STATISTICS: Mapping[str, Statistic] = {"l1_ratio": geometric_mean}
COLUMNS = ("dataset", "cases", "method", "postprocessing", "protocol", "metric", "value", "sd", "defined", "wanted")


def write_csv(document: Document, path: Path) -> None:
    """Write every number; missing and undefined ones are empty."""
    write_table(path, COLUMNS, _lines(document.results))


def _lines(results: RunResults) -> Iterator[tuple[object, ...]]:
    for cases, cohorts in (("lesion", results.lesion), ("healthy", results.healthy)):
        for name, cohort in cohorts.items():
            for chain, protocol, metric in _measured(cohort):
                statistic = STATISTICS.get(metric, pd.Series.mean)
                numbers = cohort.numbers(metric, chain, protocol, statistic)
                yield from _numbered((name, cases), (chain, protocol, metric), numbers)


def _numbered(
    where: tuple[str, str], what: tuple[str, str, str], numbers: dict[Hashable, Number]
) -> Iterator[tuple[object, ...]]:
    for method, one in numbers.items():
        if one.defined:
            yield (*where, method, *what, one.value, one.sd, one.defined, one.wanted)


def _measured(cohort: CohortResults) -> list[tuple[str, str, str]]:
    found = cohort.rows[["postprocessing", "protocol", "metric"]].drop_duplicates()
    known = found[found["metric"].isin(METRICS)]
    return [tuple(line) for line in known.itertuples(index=False)]

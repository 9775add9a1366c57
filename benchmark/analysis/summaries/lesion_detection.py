"""Shares of lesions that are found, by size and at a few rates of false positives, from the tables of cells."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.summaries.lines import line
from benchmark.metrics.lesionwise import ALL_SIZES, STRATA, froc_point
from benchmark.statistics.panel import Choice, Panel
from benchmark.storage.rows import read_cell_lines
from benchmark.storage.run_record import kept_cells
from benchmark.storage.summary_tables import SummaryLine

RATES = (0.5, 1.0, 2.0, 4.0, 8.0)
"""False positives a scan at which lesion recall is told."""
METRIC = "lesion_recall"


def lesion_recall_lines(comparable: Comparable, choices: Sequence[Choice]) -> Iterator[SummaryLine]:
    """Means over training seeds, under the endpoints of each cohort.

    Args:
        choices: endpoints; those with a threshold have lesions by size, each pipeline has a curve.
    """
    for dataset in comparable.seeds:
        strata, curves = (_tables(comparable, dataset, name) for name in ("strata", "froc"))
        own = [choice for choice in choices if choice.dataset == dataset]
        for choice in (replace(choice, metric=METRIC) for choice in own if choice.protocol):
            for stratum in STRATA:
                lines = _of(strata, choice, stratum=stratum, metric=METRIC)
                for one in _lines(comparable, choice, lines, "mean", "cases"):
                    yield replace(one, stratum=stratum)
        for pipeline in dict.fromkeys(choice.postprocessing for choice in own):
            choice = Choice(dataset, METRIC, pipeline, "", comparable.split)
            lines = _of(curves, choice, stratum=ALL_SIZES)
            for rate in RATES if not lines.empty else ():
                points = [
                    {"method": method, "seed": seed, "lesions": part["lesions"].max(), "scans": part["scans"].max(),
                     "recall": froc_point(part["false_alarms_a_scan"].to_numpy(), part[METRIC].to_numpy(), rate)}
                    for (method, seed), part in lines.groupby(["method", "seed"], sort=False)
                ]  # fmt: skip
                for one in _lines(comparable, choice, pd.DataFrame(points), "recall", "lesions", "scans"):
                    yield replace(one, group=f"{rate:g} a scan")


def _lines(
    comparable: Comparable, choice: Choice, table: pd.DataFrame, number: str, lesions: str, scans: str = ""
) -> Iterator[SummaryLine]:
    """One for each method of a table with one line for each method and seed."""
    for method, planned in comparable.all_seeds(choice.dataset).items() if not table.empty else ():
        own = table[table["method"] == method]
        if own.empty:
            continue
        by_seed: Mapping[int, float] = dict(zip(own["seed"], own[number], strict=True))
        values = np.array([[by_seed.get(seed, np.nan) for seed in planned]])
        panel = Panel(method, ("",), tuple(planned), values, values[..., None], int(own[scans].max()) if scans else 0)
        yield replace(line(comparable, choice, panel, "lesion"), kind="lesions", n=int(own[lesions].max()))


def _of(table: pd.DataFrame, choice: Choice, **wanted: str) -> pd.DataFrame:
    columns = {"postprocessing": choice.postprocessing, "split": choice.split, **wanted}
    columns |= {"protocol": choice.protocol} if choice.protocol else {}
    for column, value in columns.items():
        table = table[table[column] == value] if not table.empty else table
    return table


def _tables(comparable: Comparable, dataset: str, name: str) -> pd.DataFrame:
    """The table of this name of every unshifted cell of a cohort."""
    cells = [cell for cell in kept_cells(comparable.run) if cell.shift.is_none and cell.cohort.dataset == dataset]
    return read_cell_lines(comparable.run, cells, name)

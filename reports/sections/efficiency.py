"""Section of quality against seconds a volume and memory: a table and a figure for each cohort."""

from math import isnan
from typing import Any

import pandas as pd

from benchmark.metrics import METRICS
from reports.content.blocks import Block, Paragraph, Picture
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, joined, prose
from reports.figures.charts import MOST_DRAWN, cost_chart, part_text, remove_others, write_chart
from reports.model.ranking import ranking_of
from reports.model.run_results import RunResults, cohort_title

EXPLAINED = prose(
    "Seconds a volume: median over cases, inference alone; measured in the run itself, where methods may have shared "
    "the machine, or apart by `speed --run`, as the table says. Memory: the most held at once, on a GPU what was "
    "allocated, else the whole process, which holds the libraries too. `yes`: no other method is at least as good and "
    "as cheap and better in one of them; that says nothing of whether the quality differs (see the ranks)."
)
AXES = {"seconds": "time a volume (s)", "bytes": "memory (GB)"}


def quality_and_cost(results: RunResults) -> list[Block]:
    """Draws a figure a cohort."""
    figures, lines = results.run.root / "figures", results.summary.costs
    parts: list[Block] = []
    drawn = set()
    for name in results.lesion:
        own = lines[(lines["dataset"] == name) & lines["quality"].notna()]
        if own.empty or own["seconds"].isna().all():
            continue
        path, methods = figures / f"cost-{name}.svg", [str(one) for one in results.lesion[name].ordered]
        title = METRICS[own["metric"].iloc[0]].title
        write_chart(cost_chart(map(_point, own.to_dict("records")), AXES, title, methods), path)
        drawn.add(path)
        part = part_text(MOST_DRAWN, own["method"].nunique(), " in colour").strip()
        parts += [*results.lesion[name].caution_lines, Picture(path, f"Quality against time and memory, {name}", part),
                  _table(results, name, own)]  # fmt: skip
    remove_others(figures, "cost-*.svg", drawn)
    return [results.heading("Quality against time and memory"), Paragraph(EXPLAINED), *parts] if parts else []


def _point(line: dict[Any, Any]) -> dict[str, Any]:
    return {
        "method": line["method"],
        "quality": line["quality"],
        "seconds": None if isnan(line["seconds"]) else line["seconds"],
        "bytes": None if isnan(line["bytes"]) else line["bytes"] / 1e9,
        "seconds_first": line["first_in_time"] == 1,
        "bytes_first": line["first_in_memory"] == 1,
    }


def _choice_text(results: RunResults, name: str) -> Text:
    ranking = ranking_of(results, name)
    if ranking is None:
        return prose("{}.", cohort_title(name))
    one = ranking.first
    choice = joined([prose("`{}`", one[part]) for part in ("postprocessing", "protocol") if one[part]], ", ")
    return prose("{}: {} under {}.", cohort_title(name), METRICS[one["metric"]].title, choice)


def _table(results: RunResults, name: str, own: pd.DataFrame) -> Table:
    metric = METRICS[own["metric"].iloc[0]]
    by = {line["method"]: line for _, line in own.iterrows()}
    rows = [
        [
            said(results.whole.label(method)), Cell(line["quality"]),
            Cell(line["seconds"]), _yes(line["first_in_time"]),
            Cell(line["bytes"] / 1e9), _yes(line["first_in_memory"]), said(line["measured"]),
        ]
        for method, line in ((str(method), by[method]) for method in results.lesion[name].ordered if method in by)
    ]  # fmt: skip
    columns = [
        *text_columns("Method"), Column(metric.title, metric.unit, metric.higher_is_better),
        Column("Time a volume", "s", False), *text_columns("none cheaper"), Column("Memory", "GB", False, 2),
        *text_columns("none smaller", "measured"),
    ]  # fmt: skip
    return Table(f"{name}-cost", _choice_text(results, name), columns, rows, stamp="exploratory")


def _yes(value: float) -> Cell:
    return said("yes" if value == 1 else "")

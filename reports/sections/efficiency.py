"""Section of quality against seconds a volume and memory: a table and a figure for each cohort."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from benchmark.metrics import METRICS
from reports.figures.style import figure_at, log_axis, places, remove_others, style_of, tidy
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.ranking import ranking_of
from reports.model.run_results import RunResults, cohort_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPLAINED = (
    "Seconds a volume: median over cases, inference alone; measured in the run itself, where methods may have shared "
    "the machine, or apart by `speed --run`, as the table says. Memory: the most held at once, on a GPU what was "
    "allocated, else the whole process, which holds the libraries too. `yes`: no other method is at least as good and "
    "as cheap and better in one of them; that says nothing of whether the quality differs (see the ranks)."
)
AXES = {"seconds": ("s a volume", "first_in_time"), "bytes": ("GB at most", "first_in_memory")}


def quality_and_cost(results: RunResults) -> str:
    """Markdown; "" where nothing is summarised. Draws a figure a cohort."""
    figures, lines = results.run.root / "figures", results.summary.costs
    parts, drawn = [], set()
    for name in results.lesion:
        own = lines[(lines["dataset"] == name) & lines["quality"].notna()]
        if own.empty or own["seconds"].isna().all():
            continue
        path = figures / f"cost-{name}.svg"
        draw_cost(own, list(results.whole.seeds), path)
        drawn.add(path)
        parts += [results.heading(cohort_title(name), 3), *_choice_text(results, name),
                  f"![Quality against seconds a volume and memory, {escape(name)}](figures/{path.name})",
                  _table(results, own)]  # fmt: skip
    remove_others(figures, "cost-*.svg", drawn)
    return "\n\n".join([results.heading("Quality against time and memory"), EXPLAINED, *parts]) if parts else ""


def _choice_text(results: RunResults, name: str) -> list[str]:
    cohort, ranking = results.lesion[name], ranking_of(results, name)
    if ranking is None:
        return cohort.caution_lines
    one = ranking.first
    choice = [f"`{escape(one[part])}`" for part in ("postprocessing", "protocol") if one[part]]
    return [*cohort.caution_lines, f"{METRICS[one['metric']].title} under {', '.join(choice)}."]


def _table(results: RunResults, own: pd.DataFrame) -> str:
    title = METRICS[own["metric"].iloc[0]].title
    aside = own["method"].isin(results.whole.aside)
    ordered = own.assign(aside=aside).sort_values(["aside", "quality"], ascending=[True, False], kind="stable")
    body = [
        [
            results.whole.label(line["method"]), f"{line['quality']:.3f}",
            MISSING if isnan(line["seconds"]) else f"{line['seconds']:.3f}", _yes(line["first_in_time"]),
            MISSING if isnan(line["bytes"]) else f"{line['bytes'] / 1e9:.2f}", _yes(line["first_in_memory"]),
            escape(line["measured"]),
        ]
        for _, line in ordered.iterrows()
    ]  # fmt: skip
    return github_table(["Method", title, "s a volume", "none cheaper", "GB", "none smaller", "measured"], body, 1)


def _yes(value: float) -> str:
    return "yes" if value == 1 else ""


def draw_cost(own: pd.DataFrame, methods: list[str], path: Path) -> None:
    """Write an SVG with a panel a cost; what no other method beats in both is joined by a line."""
    known = [cost for cost in AXES if own[cost].notna().any()]
    with figure_at(path, 3.4 * len(known) + 0.4, 3.4) as figure:
        panels = figure.subplots(1, len(known), squeeze=False, sharey=True)[0]
        for panel, cost in zip(panels, known, strict=True):
            _panel(panel, own, methods, cost)
        panels[0].set_ylabel(METRICS[own["metric"].iloc[0]].title)
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)


def _panel(panel: "Axes", own: pd.DataFrame, methods: list[str], cost: str) -> None:
    title, first = AXES[cost]
    scale = 1e9 if cost == "bytes" else 1.0
    front = own[own[first] == 1].sort_values(cost)
    panel.plot(front[cost] / scale, front["quality"], color="0.6", linewidth=1, zorder=0)
    place = places(methods)
    for _, line in own.iterrows():
        colour, marker, _ = style_of(place[line["method"]])
        panel.plot([line[cost] / scale], [line["quality"]], marker, color=colour, markersize=6, label=line["method"])
    values = own[cost].dropna() / scale
    if values.max() > 20 * max(values.min(), 1e-9):
        panel.set_xscale("log")
        log_axis(panel.xaxis)
    panel.set_xlabel(title)
    tidy(panel)

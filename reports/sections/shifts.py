"""Section of acquisition shifts: tables and dose-response curves of what they cost, and the worst for the terminal."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmark.analysis.summaries.shift_responses import IDENTITY
from benchmark.metrics import METRICS
from reports.figures.style import COLOURS, MARKERS, figure_at, legend_below, remove_others, tidy
from reports.markup.markdown import MISSING, UNDEFINED, escape, folded, github_table
from reports.model.cohort_results import Number
from reports.model.ranking import domain
from reports.model.run_results import RunResults, cohort_title
from reports.model.shift_responses import Level, ShiftResponse, healthy_responses, lesion_responses

if TYPE_CHECKING:
    from matplotlib.axes import Axes


LEGEND = (
    "**Frozen**: the threshold of the same fit's unshifted cell, what one would deploy. **Re-tuned**: chosen on "
    "validation cases shifted alike, a ceiling. **Matched**: each image's percentiles are moved onto the mean ones of "
    "the training cases before the method sees it, unshifted cells too; its threshold is frozen from its own unshifted "
    "cell, and its changes are from that cell as well. Changes are differences to the unshifted cell. Dose: mean "
    "|shifted - unshifted image| over healthy tissue, of intensities in [0, 1], before any matching. The dose is "
    "what severities of different shifts have in common; that of gamma and transfer is as it comes."
)
AREAS = (
    "Area under the dose-response curve, trapezoid, divided by the highest dose: the mean over all doses up to it, in "
    "the metric's own unit, as its change from the unshifted one with the 95 % interval over people (bootstrap-t, "
    "these weights). In brackets behind a shift its highest dose: shifts with other doses are not comparable."
)


def under_shift(results: RunResults) -> str:
    """Per cohort a summary, curves, and foldable tables of every level; "" without shifted cells."""
    lesion, healthy = lesion_responses(results), healthy_responses(results)
    figures = results.run.root / "figures"
    drawn = set()
    parts = [results.heading("Under shift"), LEGEND]
    for one in (*lesion, *healthy):
        is_lesion = one in lesion
        path = figures / f"shift-{'lesion' if is_lesion else 'healthy'}-{one.cohort}.svg"
        what = "Dice, AUPRC" if is_lesion else f"healthy alarms, {domain(results, one.cohort)}"
        parts += [
            results.heading(f"{cohort_title(one.cohort)}: {what}", 3),
            f"Post-processing `{one.pipeline}`, threshold `{one.protocol}`. {_summary_text(one, is_lesion)}",
            summary_table(one, results.whole.label, lesion=is_lesion),
            _figure(one, path, lesion=is_lesion),
            *area_tables(results, one.cohort, lesion=is_lesion),
            *(
                folded(f"{escape(kind)}, every level", detail_table(one, kind, results.whole.label, lesion=is_lesion))
                for kind in one.kinds
            ),
        ]
        drawn.add(path)
    remove_others(figures, "shift-*.svg", drawn)
    return "\n\n".join(parts) if lesion or healthy else ""


def worst_shifts(results: RunResults) -> Iterator[str]:
    """For each lesion cohort the shift that costs each method the most Dice; a line a cohort."""
    for one in lesion_responses(results):
        said = []
        for method in one.methods:
            lines = [line for kind in one.kinds for line in one.levels(kind) if line.method == method]
            changes = {line: one.change(line, "dice") for line in lines}
            known = {line: value for line, value in changes.items() if not isnan(value)}
            if known:
                worst = min(known, key=lambda line: known[line])
                said.append(f"{method} {known[worst]:+.3f} ({worst.shift}={worst.severity:g})")
        if said:
            title = results.titled(f"{cohort_title(one.cohort)}: largest loss of Dice under a shift")
            yield f"{title} ({one.pipeline}, {one.protocol} frozen): {', '.join(said)}"


def _summary_text(one: ShiftResponse, lesion: bool) -> str:
    metric = "Dice" if lesion else "the alarmed share of the brain (mean over people)"
    return f"Change of {metric} at the level of the highest dose of each shift, threshold frozen / re-tuned:"


def _figure(one: ShiftResponse, path: Path, *, lesion: bool) -> str:
    draw_responses(one, path, lesion=lesion)
    label = "Dice" if lesion else "alarmed share of healthy brains"
    arms = ", dotted matched" if one.has_matched else ""
    return (
        f"![{label} against dose](figures/{path.name})\n\n"
        f"*{label} against dose, a panel a shift: solid frozen, dashed re-tuned{arms}; the leftmost points are "
        "unshifted. Gamma below and above 1 stand apart.*"
    )


Label = Callable[[str], str]


def summary_table(one: ShiftResponse, label: Label, *, lesion: bool) -> str:
    """A line a method, a column a shift: the change at its highest dose, threshold frozen / re-tuned."""
    metric = "dice" if lesion else "alarm_fraction"
    body = []
    for method in one.methods:
        unshifted = one.value(one.unshifted(method), metric)
        cells = [_cell(unshifted)]
        for kind in one.kinds:
            levels = [level for level in one.levels(kind) if level.method == method]
            level = max(levels, key=lambda level: -1.0 if isnan(one.dose(level)) else one.dose(level))
            cells.append(f"{_signed(one.change(level, metric))} / {_signed(one.change(level, metric, tuned=True))}")
        body.append([label(method), *cells])
    return github_table(["Method", "unshifted", *map(escape, one.kinds)], body, 1)


def detail_table(one: ShiftResponse, kind: str, label: Label, *, lesion: bool) -> str:
    """A line a method and level of one shift."""
    columns = _lesion_columns(one) if lesion else _healthy_columns(one)
    body = [
        [label(line.method), f"{line.severity:g}", *(column(line) for column in columns.values())]
        for line in one.levels(kind)
    ]
    return github_table(["Method", "Level", *columns], body, 1)


def _lesion_columns(one: ShiftResponse) -> dict[str, Callable[[Level], str]]:
    columns: dict[str, Callable[[Level], str]] = {
        "Dose": lambda level: _dose(one.dose(level)),
        "Dice frozen": lambda line: _cell(one.value(line, "dice")),
        "change": lambda line: _signed(one.change(line, "dice")),
        "Dice re-tuned": lambda line: _cell(one.value(line, "dice", tuned=True)),
        "change, re-tuned": lambda line: _signed(one.change(line, "dice", tuned=True)),
        "AUPRC": lambda line: _cell(one.value(line, "auprc", deployed=False)),
        "change of AUPRC": lambda line: _signed(one.change(line, "auprc", deployed=False)),
        "Far alarms frozen": lambda line: _cell(one.value(line, "alarm_fraction_far")),
    }
    if one.has_matched:
        columns |= {
            "Matched: Dice frozen": lambda line: _cell(one.value(line, "dice", matched=True)),
            "matched: change": lambda line: _signed(one.change(line, "dice", matched=True)),
            "matched: AUPRC": lambda line: _cell(one.value(line, "auprc", deployed=False, matched=True)),
        }
    return columns


def _healthy_columns(one: ShiftResponse) -> dict[str, Callable[[Level], str]]:
    columns: dict[str, Callable[[Level], str]] = {
        "Dose": lambda level: _dose(one.dose(level)),
        "Alarmed share frozen": lambda line: _cell(one.value(line, "alarm_fraction")),
        "change": lambda line: _signed(one.change(line, "alarm_fraction")),
        "Alarmed share re-tuned": lambda line: _cell(one.value(line, "alarm_fraction", tuned=True)),
        "Any alarm, frozen": lambda line: _cell(one.value(line, "alarm")),
        "ml a scan, frozen": lambda line: _cell(one.value(line, "alarm_ml")),
    }
    if one.has_matched:
        columns |= {
            "Matched: alarmed share frozen": lambda line: _cell(one.value(line, "alarm_fraction", matched=True)),
            "matched: change": lambda line: _signed(one.change(line, "alarm_fraction", matched=True)),
        }
    return columns


def _cell(number: Number) -> str:
    if not number.defined:
        return UNDEFINED if number.wanted else MISSING
    shown = f"{number.value:.3f}"
    return shown if number.defined == number.wanted else f"{shown} [{number.defined}/{number.wanted}]"


def _dose(dose: float) -> str:
    return MISSING if isnan(dose) else f"{dose:.3f}"


def _signed(change: float) -> str:
    return MISSING if isnan(change) else f"{change:+.3f}"


STYLES = {"frozen": "-", "re-tuned": "--", "matched": ":"}
PANELS, WIDTH, HEIGHT = 4, 2.6, 2.1  # panels a row; inches a panel


@dataclass(frozen=True)
class Panel:
    """Levels of one shift on one side of its identity."""

    title: str
    kind: str
    severities: tuple[float, ...]


def draw_responses(response: ShiftResponse, path: Path, *, lesion: bool) -> None:
    """Draw what a deployed threshold gives against the dose, into an SVG."""
    panels = panels_of(response)
    rows = ceil(len(panels) / PANELS)
    columns = min(PANELS, len(panels))
    with figure_at(path, columns * WIDTH, rows * HEIGHT + 0.7) as figure:
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_panel(axes, response, panel, "dice" if lesion else "alarm_fraction")
        for axes in list(grid.flat)[len(panels) :]:
            axes.set_axis_off()
        for row in grid:
            row[0].set_ylabel("Dice" if lesion else "alarmed share")
        for name, style in STYLES.items():
            if name != "matched" or response.has_matched:
                grid.flat[0].plot([], [], style, color="black", linewidth=1.0, label=name)
        legend_below(figure, grid.flat[0])


def panels_of(response: ShiftResponse) -> list[Panel]:
    """One a shift, two where it goes two ways."""
    panels = []
    for kind in response.kinds:
        severities = response.severities(kind)
        if kind not in IDENTITY:
            panels.append(Panel(kind, kind, tuple(severities)))
            continue
        at = IDENTITY[kind]
        below, above = (tuple(one for one in severities if (one < at) is lower) for lower in (True, False))
        sides = [("below", below), ("above", above)]
        panels += [Panel(f"{kind} {side} {at:g}", kind, some) for side, some in sides if some]
    return panels


def _draw_panel(axes: "Axes", response: ShiftResponse, panel: Panel, metric: str) -> None:
    styles = [(False, False, "-"), (True, False, "--"), *([(False, True, ":")] if response.has_matched else [])]
    for index, method in enumerate(response.methods):
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        lines = [Level(method, panel.kind, severity) for severity in panel.severities]
        doses = [response.dose(line) for line in lines]
        order = np.argsort(doses)
        for tuned, matched, style in styles:
            start = response.value(response.unshifted(method), metric, matched=matched)
            values = [response.value(line, metric, tuned=tuned, matched=matched).value for line in lines]
            axes.plot(
                [0.0, *np.array(doses)[order]],
                [start.value, *np.array(values)[order]],
                style,
                color=colour,
                marker=marker if style == "-" else None,
                markersize=3.5,
                linewidth=1.3 if style == "-" else 1.0,
                label=method if style == "-" else None,
            )
    axes.set_title(panel.title, fontsize=8, parse_math=False)
    axes.set_xlabel("dose", fontsize=7)
    axes.set_xlim(left=0)
    tidy(axes)


def area_tables(results: RunResults, cohort: str, *, lesion: bool) -> list[str]:
    """Markdown, a table a metric and arm; [] where nothing is summarised."""
    lines = results.summary.areas
    metrics = ("dice", "auprc") if lesion else ("alarm_fraction",)
    own = lines[(lines["dataset"] == cohort) & lines["metric"].isin(metrics) & (lines["split"] == results.split)]
    if own.empty:
        return []
    groups = own.groupby(["metric", "arm"], sort=False)
    return [AREAS, *(f"{_area_choice(table)}\n\n{_area_table(results, table)}" for _, table in groups)]


def _area_choice(table: pd.DataFrame) -> str:
    one = table.iloc[0]
    choice = ", ".join(f"`{escape(one[name])}`" for name in ("postprocessing", "protocol") if one[name])
    return f"**{METRICS[one['metric']].title}**, threshold {one['arm']} ({choice}):"


def _area_table(results: RunResults, table: pd.DataFrame) -> str:
    curves = list(dict.fromkeys(zip(table["shift"], table["side"], strict=True)))
    doses = table.groupby(["shift", "side"])["dose"].max()
    by = {(line["method"], line["shift"], line["side"]): line for _, line in table.iterrows()}
    heads = [escape(" ".join(filter(None, one))) + f" ({doses[one]:.3f})" for one in curves]
    body = []
    for method in dict.fromkeys(table["method"]):
        own = [by.get((method, *one)) for one in curves]
        unshifted = next((line["unshifted"] for line in own if line is not None), float("nan"))
        shown = MISSING if isnan(unshifted) else f"{unshifted:.3f}"
        body.append([results.whole.label(method), shown, *map(_area_cell, own)])
    return github_table(["Method", "unshifted", *heads], body, 1)


def _area_cell(line: "pd.Series[float] | None") -> str:
    if line is None or isnan(line["change"]):
        return MISSING
    interval = "" if isnan(line["low"]) else f" ({line['low']:+.3f} to {line['high']:+.3f})"
    return f"{line['change']:+.3f}{interval}"

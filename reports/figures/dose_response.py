"""Dose-response curves: a panel a shift, a colour and marker a method."""

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmark.analysis.summaries.shift_areas import IDENTITY
from reports.figures.style import COLOURS, MARKERS, figure_at, legend_below, tidy
from reports.model.shift_responses import Line, Response

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = {"frozen": "-", "re-tuned": "--", "matched": ":"}
PANELS, WIDTH, HEIGHT = 4, 2.6, 2.1  # panels a row; inches a panel


@dataclass(frozen=True)
class Panel:
    """Levels of one shift on one side of its identity."""

    title: str
    kind: str
    severities: tuple[float, ...]


def draw_responses(response: Response, path: Path, *, lesion: bool) -> None:
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


def panels_of(response: Response) -> list[Panel]:
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


def _draw_panel(axes: "Axes", response: Response, panel: Panel, metric: str) -> None:
    unit = "subject_id" if metric == "dice" else "case_id"
    styles = [(False, False, "-"), (True, False, "--"), *([(False, True, ":")] if response.has_matched else [])]
    for index, method in enumerate(response.methods):
        colour, marker = COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)]
        lines = [Line(method, panel.kind, severity) for severity in panel.severities]
        doses = [response.dose(line).value for line in lines]
        order = np.argsort(doses)
        for tuned, matched, style in styles:
            start = response.value(Line(method, "none", 0.0), metric, matched=matched, unit=unit)
            values = [response.value(line, metric, tuned=tuned, matched=matched, unit=unit).value for line in lines]
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

"""draw_audiogram: contrast at half against volume, a panel a method."""

from math import isinf, isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from datasets.io.atomic import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Told apart by everybody, and in grey: Okabe and Ito's blue and vermilion, and two markers.
STYLES = {"dark": ("#0072B2", "o", 0.94), "bright": ("#D55E00", "s", 1.06)}
COLUMNS = 4
PANEL = (2.7, 2.5)  # inches


def draw_audiogram(points: pd.DataFrame, path: Path) -> None:
    """Write a PNG.

    A filled marker is a contrast at which half are found, its bar the interval; an open triangle that points up
    stands where half are not found at the highest contrast tried, one that points down where more than half are
    found at the lowest, a cross where half are found by chance.

    Args:
        points: lines of `audiogram.csv` of one cohort, chain and rule.
    """
    from matplotlib.figure import Figure

    methods = list(dict.fromkeys(points["method"]))
    columns = min(COLUMNS, len(methods))
    rows = -(-len(methods) // columns)
    figure = Figure(figsize=(PANEL[0] * columns + 0.6, PANEL[1] * rows + 0.5), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, sharex=True, sharey=True)).ravel()
    for panel, method in zip(panels, methods, strict=False):
        _draw_panel(panel, points[points["method"] == method], str(method))
    for panel in panels[len(methods) :]:
        panel.set_visible(False)
    figure.supxlabel("lesion volume (ml)")
    figure.supylabel("contrast at which half are found\n(grey-white steps; lower is better)", fontsize="medium")
    panels[0].legend(fontsize="small", loc="lower left")
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=110)


def _draw_panel(panel: "Axes", points: pd.DataFrame, title: str) -> None:
    lowest, highest = points["lowest"].min(), points["highest"].max()
    for sign, (colour, marker, aside) in STYLES.items():
        own = points[points["sign"] == sign].sort_values("volume_ml")
        for _, point in own.iterrows():
            _draw_point(panel, point, colour, marker, aside)
        reached = own[own["state"] == "reached"]
        panel.plot(
            reached["volume_ml"] * aside, reached["contrast"], color=colour, lw=1, marker=marker, ms=5, label=sign
        )
    panel.axhline(lowest, color="0.8", lw=0.8, zorder=0)
    panel.axhline(highest, color="0.8", lw=0.8, zorder=0)
    panel.set(xscale="log", yscale="log", ylim=(lowest / 1.6, highest * 1.6))
    volumes, levels = sorted(points["volume_ml"].unique()), np.geomspace(lowest, highest, 4)
    panel.set_xticks(volumes, [f"{volume:g}" for volume in volumes], minor=False)
    panel.set_yticks(levels, [f"{level:.2g}" for level in levels], minor=False)
    panel.minorticks_off()
    panel.set_title(title, fontsize="medium")


def _draw_point(panel: "Axes", point: pd.Series, colour: str, marker: str, aside: float) -> None:
    """The interval's bar, which ends outside the contrasts tried where the interval does; and what is no contrast."""
    at = point["volume_ml"] * aside
    if not isnan(point["low"]) and point["state"] != "chance":
        low = point["lowest"] / 1.2 if point["low"] == 0 else min(point["low"], point["highest"] * 1.2)
        high = point["highest"] * 1.2 if isinf(point["high"]) else max(point["high"], point["lowest"] / 1.2)
        panel.plot([at, at], [low, high], color=colour, lw=1, alpha=0.7)
    signs = {
        "not reached": ("^", point["highest"] * 1.25),
        "below": ("v", point["lowest"] / 1.25),
        "chance": ("x", point["lowest"] / 1.25),
    }
    if point["state"] in signs:
        shape, height = signs[point["state"]]
        face = colour if shape == "x" else "none"
        panel.plot([at], [height], marker=shape, ls="", ms=6, mec=colour, mfc=face, color=colour)

"""draw_forest: each method's mean with its intervals, in the order of the rank sets."""

from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.metrics import METRICS
from reports.figures.style import COLOURS, figure_at, tidy
from reports.model.cohort_results import Board
from reports.model.numbers import PERFECT_MAP
from reports.model.ranking import RECIPE, WEIGHTS, Decided

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH, LINE, REST = 6.4, 0.3, 0.9  # inches: the figure, a method, axis and legend
SHAPES = {WEIGHTS: ("s", COLOURS[5], 0.14), RECIPE: ("o", COLOURS[0], -0.14)}


def draw_forest(found: Decided, board: Board, path: Path) -> None:
    """Write an SVG: circles are of the recipe, squares of the weights; hollow ones have no interval."""
    methods = [*found.ranks, *(method for method in found.methods if method not in found.ranks)]
    with figure_at(path, WIDTH, LINE * len(methods) + REST) as figure:
        axes = figure.subplots()
        for place, method in enumerate(methods):
            for question, (marker, colour, aside) in SHAPES.items():
                _draw(axes, found.line(method, question), place + aside, marker, colour)
        labels = [f"{_plain(board, method)}, {found.rank_text(method)}" for method in methods]
        axes.set_yticks(range(len(methods)), labels, parse_math=False)
        axes.set_ylim(len(methods) - 0.5, -0.5)
        axes.set_xlabel(f"{METRICS[found.first['metric']].title}, {100 * found.first['level']:.0f} % interval")
        axes.set_title("method, rank set", loc="left", fontsize=8, color="0.35", x=-0.02, ha="right")
        _perfect(axes, board, found)
        tidy(axes)
        for question, (marker, colour, _) in SHAPES.items():
            axes.plot([], [], marker, color=colour, label=question)
        axes.legend(loc="best", frameon=False, fontsize=7)


def _draw(axes: "Axes", line: "object", place: float, marker: str, colour: str) -> None:
    mean, low, high = (float(line[name]) for name in ("mean", "low", "high"))  # type: ignore[index]
    if isnan(mean):
        return
    with_interval = not isnan(low)
    if with_interval:
        axes.hlines(place, low, high, color=colour, linewidth=2)
    axes.plot([mean], [place], marker, color=colour, markersize=5, markerfacecolor=colour if with_interval else "none")


def _perfect(axes: "Axes", board: Board, found: Decided) -> None:
    """Where the truth itself comes out after the same chain."""
    number = board.numbers(found.first["metric"], found.first["postprocessing"])[PERFECT_MAP]
    if number.defined:
        axes.axvline(number.value, color="black", linestyle=":", linewidth=1, label="perfect map")


def _plain(board: Board, method: str) -> str:
    return f"{method} (floor)" if method in board.floors else method

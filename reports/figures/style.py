"""Colours, markers and SVG files of figures: readable with any colour vision, in grey, and on paper."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from datasets.io.atomic import written_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

# Okabe and Ito's colours; a marker each, so that no colour has to be seen.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
DASHES = ("-", "--", "-.", ":")


def style_of(index: int) -> tuple[str, str, str]:
    """Colour, marker and dash of the method at this place; the dash changes where colours begin anew."""
    return COLOURS[index % len(COLOURS)], MARKERS[index % len(MARKERS)], DASHES[index // len(COLOURS) % len(DASHES)]


@contextmanager
def figure_at(path: Path, width: float, height: float) -> Iterator["Figure"]:
    """A figure of this size in inches, written as SVG when it is drawn: its bytes depend on nothing else."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context({"svg.hashsalt": "uadbench", "svg.fonttype": "none", "font.size": 8, "text.parse_math": False}):
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure
        with written_whole(path) as beside:
            figure.savefig(beside, format="svg", metadata={"Date": None})


def remove_others(figures: Path, pattern: str, drawn: Collection[Path]) -> None:
    """Delete the figures of a pattern that an earlier report drew and this one did not."""
    for path in {*figures.glob(pattern)} - {*drawn}:
        path.unlink()


def tidy(axes: "Axes", *, grid: bool = True) -> None:
    """Without a frame that says nothing."""
    if grid:
        axes.grid(alpha=0.25)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def log_axis(axis: "Axis") -> None:
    """A logarithmic axis whose numbers are written out; without math, powers of ten would show as source."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(10, subs=(1.0, 3.0), numticks=8))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def legend_below(figure: "Figure", axes: "Axes", columns: int = 4) -> None:
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), columns), frameon=False)


def places(names: Sequence[str]) -> dict[str, int]:
    """Each method's place in the study, by which it has one style in every figure of a report."""
    return {name: index for index, name in enumerate(names)}

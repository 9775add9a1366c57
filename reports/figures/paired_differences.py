"""Figure of the paired differences of two methods: every patient, their spread, intervals and margin."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmark.metrics import METRICS
from benchmark.statistics.pairwise.paired_difference import Comparison
from datasets.io.atomic import written_whole
from datasets.words import count_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Values = NDArray[np.float64]
ABOVE, BELOW, NEITHER = "#0072B2", "#D55E00", "#555555"  # told apart by every kind of colour vision, and by shape
MARGIN_SHADE = "#DDDDDD"
WIDTH, HEIGHT = 9.0, 3.6  # inches, a cohort


@dataclass(frozen=True)
class PairDifferences:
    """One cohort's line of the picture.

    Attributes:
        differences: `(n, s)` a - b.
        comparisons: of the pair, one a question.
    """

    differences: Values
    comparisons: Sequence[Comparison]


def write_differences(path: Path, shown: Sequence[PairDifferences]) -> None:
    """Draw one PNG with a line a cohort; `shown` is not empty."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH, HEIGHT * len(shown)), layout="constrained")
    grid = figure.subplots(len(shown), 3, squeeze=False, width_ratios=[6, 1.3, 2.0], sharey="row")
    for axes, one in zip(grid, shown, strict=True):
        _patients(axes[0], one)
        _spread(axes[1], one)
        _intervals(axes[2], one)
    with written_whole(path) as beside:
        figure.savefig(beside, format="png", dpi=150, facecolor="white")


def _patients(axes: "Axes", one: PairDifferences) -> None:
    """Sorted by the mean over training seeds; a line reaches from the lowest seed to the highest."""
    first = one.comparisons[0]
    order = np.argsort(one.differences.mean(axis=1))
    sorted_ones = one.differences[order]
    means, places = sorted_ones.mean(axis=1), np.arange(1, len(order) + 1)
    for marker, colour, chosen in (
        ("^", ABOVE, means > 0),
        ("v", BELOW, means < 0),
        ("o", NEITHER, means == 0),
    ):
        axes.vlines(
            places[chosen], sorted_ones[chosen].min(axis=1), sorted_ones[chosen].max(axis=1), color=colour, alpha=0.5
        )
        axes.plot(places[chosen], means[chosen], marker, color=colour, markersize=4, linestyle="none")
    _ground(axes, first)
    counts = [int((means > 0).sum()), int((means < 0).sum()), int((means == 0).sum())]
    title = METRICS[first.choice.metric].title
    axes.set_title(f"{first.choice.dataset}: {title} of {first.a}\nless that of {first.b}", loc="left", fontsize=9)
    axes.set_xlabel(
        f"{count_text(len(means), 'patient')} in order: "
        f"{counts[0]} above 0 (triangles up), {counts[1]} below, {counts[2]} at 0; "
        f"lines: range of {count_text(one.differences.shape[1], 'training seed')}"
        + ("" if first.margin is None else f"; grey: within the margin of {first.margin:g}"),
        fontsize=8,
    )
    axes.set_ylabel("paired difference", fontsize=8)
    axes.tick_params(labelsize=8)


def _spread(axes: "Axes", one: PairDifferences) -> None:
    """How many patients have which difference, on the same axis."""
    means = one.differences.mean(axis=1)
    axes.hist(
        means, bins=min(24, max(6, len(means) // 3)), orientation="horizontal", color="#999999", edgecolor="white"
    )
    _ground(axes, one.comparisons[0])
    axes.set_title("patients", loc="left", fontsize=9)
    axes.tick_params(labelsize=8, labelleft=False)


def _intervals(axes: "Axes", one: PairDifferences) -> None:
    """The mean with its interval for each question."""
    _ground(axes, one.comparisons[0])
    for place, (comparison, marker) in enumerate(zip(one.comparisons, "sD", strict=False)):
        effect = comparison.effect
        if isnan(effect.mean):
            continue
        axes.plot(place, effect.mean, marker, color="black", markersize=6)
        if not isnan(effect.low):
            axes.vlines(place, effect.low, effect.high, color="black", linewidth=2)
        axes.annotate(
            f"{effect.mean:+.3f}", (place, effect.mean), (6, 0), textcoords="offset points", fontsize=8, va="center"
        )
    level = f"{one.comparisons[0].effect.level:.0%}"
    axes.set_title(f"mean, {level} interval", loc="left", fontsize=9)
    names = [f"{comparison.question.replace(' ', chr(10))}\n{_short(comparison)}" for comparison in one.comparisons]
    axes.set_xticks(range(len(names)), names, fontsize=8)
    axes.set_xlim(-0.5, len(names) + 0.1)
    axes.tick_params(labelsize=8, labelleft=False)


def _short(one: Comparison) -> str:
    return {"better": "differ", "not testable": "not\ntestable", "not separable": "not\nseparable"}.get(
        one.state, one.state.replace("better", "differ").replace(" under ", "\nunder\n")
    )


def _ground(axes: "Axes", one: Comparison) -> None:
    """Zero and the margin of equivalence, below everything else."""
    if one.margin is not None:
        axes.axhspan(-one.margin, one.margin, color=MARGIN_SHADE, zorder=0)
    axes.axhline(0, color="black", linewidth=0.8, zorder=1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)

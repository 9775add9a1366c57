"""Section of detection: precision against recall, lesions found against false positives, Dice by lesion size."""

from collections.abc import Sequence
from math import isnan, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.metrics.lesionwise import ALL_SIZES, STRATA
from benchmark.storage.rows import read_cell_lines
from reports.figures.style import figure_at, legend_below, log_axis, places, remove_others, style_of, tidy
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.cohort_results import select
from reports.model.example_cases import shown_pipeline
from reports.model.ranking import ranking_of
from reports.model.run_results import RunResults, cohort_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPLAINED = (
    "Left: precision against recall over the voxels of all patients together, steps as they are. Right: share of "
    "lesions found against false positives a scan, after the whole post-processing (FROC), read before the rate first "
    "exceeds what is allowed: false positives that merge do not count as few. A line a training seed. Recall ends "
    "below 1 where lesion lies outside the box or the brain mask. Pooled over voxels large lesions decide; see by size."
)
SHOWN = {"dice": "patients", "auprc": "patients", "lesion_recall": "lesions"}
"""Metrics given by lesion size, and what n counts."""
TITLES = {"patients": "by the case's whole lesion volume", "lesions": "by the volume of each lesion"}


def detection(results: RunResults) -> str:
    """Markdown; "" where no cell has curves. Draws a figure a cohort."""
    figures, parts, drawn = results.run.root / "figures", [], set()
    for name, cohort in results.lesion.items():
        pipeline = shown_pipeline(results, name)
        pr, froc = (_curves(results, name, pipeline, file) for file in ("pr", "froc"))
        sizes = by_size(results, name, pipeline)
        if pr.empty and froc.empty and not sizes:
            continue
        parts += [results.heading(cohort_title(name), 3), *cohort.caution_lines, f"Post-processing `{pipeline}`."]
        if not (pr.empty and froc.empty):
            path = figures / f"curves-{name}.svg"
            draw_curves(pr, froc, list(results.whole.seeds), path)
            drawn.add(path)
            parts.append(f"![Precision-recall and FROC curves, {escape(name)}](figures/{path.name})")
            parts += _froc_table(results, name, pipeline)
        parts += sizes
    remove_others(figures, "curves-*.svg", drawn)
    return "\n\n".join([results.heading("Detection curves, and by lesion size"), EXPLAINED, *parts]) if parts else ""


def _curves(results: RunResults, cohort: str, pipeline: str, name: str) -> pd.DataFrame:
    """The curves that scoring left in the unshifted cells of a cohort, after one pipeline."""
    cells = [cell for cell in results.cells if cell.cohort.dataset == cohort]
    lines = read_cell_lines(results.run, cells, name)
    return lines[(lines["split"] == results.split) & (lines["postprocessing"] == pipeline)]


def draw_curves(pr: pd.DataFrame, froc: pd.DataFrame, methods: Sequence[str], path: Path) -> None:
    """Write an SVG of both, one where the other is empty."""
    found = [one for one in (("pr", pr), ("froc", froc)) if not one[1].empty]
    with figure_at(path, 3.4 * len(found) + 0.2, 3.8) as figure:
        panels = figure.subplots(1, len(found), squeeze=False)[0]
        for panel, (kind, lines) in zip(panels, found, strict=True):
            (_draw_pr if kind == "pr" else _draw_froc)(panel, lines, methods)
            tidy(panel)
        legend_below(figure, panels[0], columns=3)


def _draw_pr(panel: "Axes", lines: pd.DataFrame, methods: Sequence[str]) -> None:
    for style, own in _styled(lines, methods):
        steps = own.sort_values("recall", kind="stable")
        panel.step(steps["recall"], steps["precision"], where="pre", markevery=max(len(own) // 6, 1), **style)
    panel.set(xlabel="recall (voxels)", ylabel="precision", xlim=(0, 1), ylim=(0, 1))


def _draw_froc(panel: "Axes", lines: pd.DataFrame, methods: Sequence[str]) -> None:
    for style, own in _styled(lines[lines["stratum"] == ALL_SIZES], methods):
        # Alarms that have grown together are not few again: what was allowed once stays allowed.
        alarms, found = own["false_alarms_a_scan"].cummax(), own["lesion_recall"].cummax()
        panel.step(alarms, found, where="post", markevery=max(len(own) // 4, 1), **style)
    panel.set(xlabel="false alarms a scan", ylabel="lesions found", ylim=(0, 1))
    panel.set_xscale("symlog", linthresh=1.0)
    panel.set_xticks([0, 1, 3, 10, 30, 100], ["0", "1", "3", "10", "30", "100"])
    panel.minorticks_off()
    panel.set_xlim(left=0, right=max(1.0, float(lines["false_alarms_a_scan"].max())))


def _styled(lines: pd.DataFrame, methods: Sequence[str]) -> list[tuple[dict[str, Any], pd.DataFrame]]:
    """How each method and seed is drawn; the first seed alone is in the legend."""
    place, made, named = places(methods), [], set()
    for (method, _), own in lines.groupby(["method", "seed"], sort=False):
        colour, marker, dash = style_of(place[str(method)])
        label = None if method in named else str(method)
        style = {"color": colour, "marker": marker, "linestyle": dash, "lw": 1.2, "markersize": 3.5, "label": label}
        made.append((style, own))
        named.add(method)
    return made


def _froc_table(results: RunResults, cohort: str, pipeline: str) -> list[str]:
    """Share of lesions found at a few rates of false positives, for whoever cannot see the curves."""
    lines = results.summary.froc
    own = lines[
        (lines["dataset"] == cohort) & (lines["split"] == results.split) & (lines["postprocessing"] == pipeline)
    ]
    if own.empty:
        return []
    rates = list(dict.fromkeys(own["group"]))
    shares = own.set_index(["method", "group"])["mean"].to_dict()
    counts = {line["method"]: f"{line['n']:.0f} in {line['scans']:.0f}" for _, line in own.iterrows()}
    body = [
        [results.whole.label(method), counts[method], *(_share(shares.get((method, rate), nan)) for rate in rates)]
        for method in results.whole.seeds
        if method in counts
    ]
    return [github_table(["Lesions found at", "Lesions in scans", *rates], body, 1)]


def _share(value: float) -> str:
    return MISSING if isnan(value) else f"{value:.2f}"


def by_size(results: RunResults, cohort: str, pipeline: str) -> list[str]:
    """A picture of Dice against volume, then a table a metric; [] where there is neither."""
    ranking = ranking_of(results, cohort)
    protocol = ranking.first["protocol"] if ranking is not None else ""
    lines = results.summary.strata
    lines = lines[(lines["dataset"] == cohort) & (lines["split"] == results.split)]
    lines = lines[(lines["postprocessing"] == pipeline) & lines["protocol"].isin(["", protocol])]
    means = lines[lines["metric"] == "dice"]
    tables = [_stratum_table(metric, unit, lines[lines["metric"] == metric], results) for metric, unit in SHOWN.items()]
    return [*_size_figure(results, cohort, pipeline, protocol, means), *filter(None, tables)]


def _stratum_table(metric: str, unit: str, own: pd.DataFrame, results: RunResults) -> str:
    if own.empty:
        return ""
    title = METRICS[metric].title if metric in METRICS else metric
    told = f"**{title}** {TITLES[unit]}; in brackets n of {unit}, means over training seeds."
    strata = [name for name in STRATA if name in set(own["stratum"])]
    sizes = own.groupby("stratum")["n"].max()
    means = own.set_index(["method", "stratum"])["mean"].to_dict()
    body = [
        [results.whole.label(method), *(_mean_text(means.get((method, stratum), nan)) for stratum in strata)]
        for method in results.whole.seeds
        if method in set(own["method"])
    ]
    return f"{told}\n\n{github_table(['Method', *(f'{escape(one)} [{sizes[one]:.0f}]' for one in strata)], body, 1)}"


def _mean_text(value: float) -> str:
    return MISSING if isnan(value) else f"{value:.3f}"


def _size_figure(results: RunResults, cohort: str, pipeline: str, protocol: str, means: pd.DataFrame) -> list[str]:
    rows = results.lesion[cohort].rows
    sizes = select(rows, "lesion_ml").drop_duplicates("case_id").set_index("case_id")["value"]
    dice = results.lesion[cohort].by_case("dice", pipeline, protocol)
    path = results.run.root / "figures" / f"sizes-{cohort}.svg"
    if not protocol or dice.empty or sizes[sizes > 0].empty:
        path.unlink(missing_ok=True)
        return []
    by_stratum = means.pivot(index="stratum", columns="method", values="mean")
    draw_sizes(dice, sizes, by_stratum, list(results.whole.seeds), path)
    told = "*A mark a case, seeds averaged; lines: each method's mean over a stratum's patients.*"
    return [f"![Dice of each case against its lesion volume, {escape(cohort)}](figures/{path.name})\n\n{told}"]


def draw_sizes(
    dice: pd.DataFrame, sizes: "pd.Series[float]", means: pd.DataFrame, methods: Sequence[str], path: Path
) -> None:
    """Write an SVG: a mark a case and method, and a line at a method's mean of each stratum.

    Args:
        dice: a line a case, a column a method.
        sizes: ml by case.
        means: a line a stratum, a column a method.
    """
    place = places(methods)
    with figure_at(path, 6.4, 3.6) as figure:
        axes = figure.subplots()
        for method in (name for name in methods if name in dice.columns):
            colour, marker, dash = style_of(place[method])
            own = pd.DataFrame({"dice": dice[method], "ml": sizes}).dropna()
            own = own[own["ml"] > 0]
            axes.plot(own["ml"], own["dice"], marker, color=colour, markersize=3.5, alpha=0.6, label=method)
            for stratum in (name for name in means.index if method in means.columns and name != ALL_SIZES):
                low, high = STRATA[stratum]
                ends = max(low, sizes[sizes > 0].min()), min(high, sizes.max())
                axes.hlines(means.loc[stratum, method], *ends, color=colour, lw=1.8, linestyle=dash)
        axes.set(xscale="log", xlabel="lesion volume of the case (ml)", ylabel="Dice", ylim=(-0.02, 1))
        log_axis(axes.xaxis)
        tidy(axes)
        legend_below(figure, axes)

"""The report's section of detection: precision against recall, lesions found against false alarms, and by size."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmark.metrics.lesionwise import froc_point
from reports.figures.style import figure_at, legend_below, places, style_of, tidy
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.example_cases import shown_chain
from reports.model.kept_curves import kept_lines
from reports.model.run_results import Findings, cohort_title
from reports.sections.lesion_size import by_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EXPLAINED = (
    "Left: precision against recall over the voxels of all patients together, steps as they are. Right: share of "
    "lesions found against false alarms a scan, after the whole chain (FROC), read before the rate first exceeds what "
    "is allowed: alarms that grow together do not count as few. A line a training seed. Recall ends below 1 where "
    "lesion lies outside the box or the brain mask. Pooled over voxels large lesions decide; see by size."
)
STRATUM_ALL = "all"
RATES = (0.5, 1.0, 2.0, 4.0, 8.0)


def detection(findings: Findings) -> str:
    """Markdown; "" where no cell has curves. Draws a figure a cohort."""
    figures, parts, drawn = findings.run.root / "figures", [], set()
    for name, board in findings.lesion.items():
        chain = shown_chain(findings, name)
        pr, froc = (_of_chain(kept_lines(findings, name, file), chain) for file in ("pr", "froc"))
        sizes = by_size(findings, name, chain)
        if pr.empty and froc.empty and not sizes:
            continue
        caution = [f"**{board.caution}**"] if board.caution else []
        parts += [findings.heading(cohort_title(name), 3), *caution, f"Post-processing `{chain}`."]
        if not (pr.empty and froc.empty):
            path = figures / f"curves-{name}.svg"
            draw_curves(pr, froc, list(findings.whole.seeds), path)
            drawn.add(path)
            parts.append(f"![Precision-recall and FROC curves, {escape(name)}](figures/{path.name})")
            parts += _table(findings, froc)
        parts += sizes
    for stale in {*figures.glob("curves-*.svg")} - drawn:
        stale.unlink()
    return "\n\n".join([findings.heading("Detection curves, and by lesion size"), EXPLAINED, *parts]) if parts else ""


def _of_chain(lines: pd.DataFrame, chain: str) -> pd.DataFrame:
    return lines[lines["postprocessing"] == chain]


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
    for style, own in _styled(lines[lines["stratum"] == STRATUM_ALL], methods):
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


def _table(findings: Findings, froc: pd.DataFrame) -> list[str]:
    """Share of lesions found at a few rates of false alarms, for whoever cannot see the curves."""
    whole = froc[froc["stratum"] == STRATUM_ALL]
    if whole.empty:
        return []
    body = []
    for method in (name for name in findings.whole.seeds if name in set(whole["method"])):
        seeds = [own for _, own in whole[whole["method"] == method].groupby("seed")]
        lesions, scans = (int(seeds[0][name].max()) for name in ("lesions", "scans"))
        cells = [_share(seeds, rate) for rate in RATES]
        body.append([findings.whole.label(method), f"{lesions} in {scans}", *cells])
    headers = ["Lesions found at", "Lesions in scans", *(f"{rate:g} a scan" for rate in RATES)]
    return [github_table(headers, body, 1)]


def _share(seeds: Sequence[pd.DataFrame], allowed: float) -> str:
    """Mean over seeds of the lesions found before the rate of false alarms first exceeds what is allowed."""
    known = [
        froc_point(own["false_alarms_a_scan"].to_numpy(), own["lesion_recall"].to_numpy(), allowed) for own in seeds
    ]
    mean = float(np.mean(known))
    return MISSING if isnan(mean) else f"{mean:.2f}"

"""Dice and lesions found by lesion size: tables of the strata, and a picture of every case."""

from collections.abc import Sequence
from math import isnan
from pathlib import Path

import pandas as pd

from benchmark.metrics import METRICS
from benchmark.metrics.strata import STRATA
from reports.figures.style import figure_at, legend_below, log_axis, places, style_of, tidy
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.kept_curves import kept_lines
from reports.model.numbers import select
from reports.model.ranking import decided
from reports.model.run_results import Findings

ALL = "all"
SHOWN = (("case", "dice"), ("case", "auprc"), ("lesion", "lesion_recall"))
TITLES = {"case": "by the case's whole lesion volume", "lesion": "by the volume of each lesion"}


def by_size(findings: Findings, cohort: str, chain: str) -> list[str]:
    """A picture of Dice against volume, then a table a metric; [] where there is neither."""
    found = decided(findings, cohort)
    protocol = found.first["protocol"] if found is not None else ""
    lines = kept_lines(findings, cohort, "strata")
    lines = lines[(lines["postprocessing"] == chain) & lines["protocol"].isin(["", protocol])]
    means = lines[(lines["of"] == "case") & (lines["metric"] == "dice")]
    tables = [_told(*one, lines, findings) for one in SHOWN]
    return [*_picture(findings, cohort, chain, protocol, means), *filter(None, tables)]


def _told(of: str, metric: str, lines: pd.DataFrame, findings: Findings) -> str:
    own = lines[(lines["of"] == of) & (lines["metric"] == metric)]
    if own.empty:
        return ""
    unit = "patients" if of == "case" else "lesions"
    title = METRICS[metric].title if metric in METRICS else metric
    return (
        f"**{title}** {TITLES[of]}; in brackets n of {unit}, means over training seeds.\n\n{_table(findings, own, of)}"
    )


def _table(findings: Findings, own: pd.DataFrame, of: str) -> str:
    strata = [name for name in STRATA if name in set(own["stratum"])]
    counted = "patients" if of == "case" else "cases"
    sizes = own.groupby("stratum")[counted].max()
    means = own.groupby(["method", "stratum"])["mean"].mean()
    body = [
        [findings.whole.label(method), *(_cell(means.get((method, stratum), float("nan"))) for stratum in strata)]
        for method in findings.whole.seeds
        if method in set(own["method"])
    ]
    return github_table(["Method", *(f"{escape(one)} [{sizes[one]:.0f}]" for one in strata)], body, 1)


def _cell(value: float) -> str:
    return MISSING if isnan(value) else f"{value:.3f}"


def _picture(findings: Findings, cohort: str, chain: str, protocol: str, means: pd.DataFrame) -> list[str]:
    rows = findings.lesion[cohort].rows
    sizes = select(rows, "lesion_ml").groupby("case_id")["value"].mean()
    own = select(rows, "dice", chain, protocol)
    own = own[own["method"].isin(list(findings.whole.seeds))]
    dice = own.pivot_table(index="case_id", columns="method", values="value", aggfunc="mean")
    path = findings.run.root / "figures" / f"sizes-{cohort}.svg"
    if not protocol or dice.empty or sizes[sizes > 0].empty:
        path.unlink(missing_ok=True)
        return []
    by_stratum = means.pivot_table(index="stratum", columns="method", values="mean", aggfunc="mean")
    draw_sizes(dice, sizes, by_stratum, list(findings.whole.seeds), path)
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
            for stratum in (name for name in means.index if method in means.columns and name != ALL):
                low, high = STRATA[stratum]
                ends = max(low, sizes[sizes > 0].min()), min(high, sizes.max())
                axes.hlines(means.loc[stratum, method], *ends, color=colour, lw=1.8, linestyle=dash)
        axes.set(xscale="log", xlabel="lesion volume of the case (ml)", ylabel="Dice", ylim=(-0.02, 1))
        log_axis(axes.xaxis)
        tidy(axes)
        legend_below(figure, axes)

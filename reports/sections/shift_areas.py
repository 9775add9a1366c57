"""Areas under the shift dose-response curves, as tables of the section Under shift."""

from math import isnan

import pandas as pd

from benchmark.metrics import METRICS
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.run_results import Findings

EXPLAINED = (
    "Area under the dose-response curve, trapezoid, divided by the highest dose: the mean over all doses up to it, in "
    "the metric's own unit, as its change from the unshifted one with the 95 % interval over people (bootstrap-t, "
    "these weights). In brackets behind a shift its highest dose: shifts with other doses are not comparable."
)


def area_tables(findings: Findings, cohort: str, *, lesion: bool) -> list[str]:
    """Markdown, a table a metric and arm; [] where nothing is summarised."""
    lines = findings.areas
    metrics = ("dice", "auprc") if lesion else ("alarm_fraction",)
    own = lines[(lines["dataset"] == cohort) & lines["metric"].isin(metrics) & (lines["split"] == findings.split)]
    if own.empty:
        return []
    groups = own.groupby(["metric", "arm"], sort=False)
    return [EXPLAINED, *(f"{_told(table)}\n\n{_table(findings, table)}" for _, table in groups)]


def _told(table: pd.DataFrame) -> str:
    one = table.iloc[0]
    choice = ", ".join(f"`{escape(one[name])}`" for name in ("postprocessing", "protocol") if one[name])
    return f"**{METRICS[one['metric']].title}**, threshold {one['arm']} ({choice}):"


def _table(findings: Findings, table: pd.DataFrame) -> str:
    curves = list(dict.fromkeys(zip(table["shift"], table["side"], strict=True)))
    doses = table.groupby(["shift", "side"])["dose"].max()
    by = {(line["method"], line["shift"], line["side"]): line for _, line in table.iterrows()}
    heads = [escape(" ".join(filter(None, one))) + f" ({doses[one]:.3f})" for one in curves]
    body = []
    for method in dict.fromkeys(table["method"]):
        own = [by.get((method, *one)) for one in curves]
        unshifted = next((line["unshifted"] for line in own if line is not None), float("nan"))
        shown = MISSING if isnan(unshifted) else f"{unshifted:.3f}"
        body.append([findings.whole.label(method), shown, *map(_cell, own)])
    return github_table(["Method", "unshifted", *heads], body, 1)


def _cell(line: "pd.Series[float] | None") -> str:
    if line is None or isnan(line["change"]):
        return MISSING
    interval = "" if isnan(line["low"]) else f" ({line['low']:+.3f} to {line['high']:+.3f})"
    return f"{line['change']:+.3f}{interval}"

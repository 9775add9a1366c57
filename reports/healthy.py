"""The report's table of false alarms in healthy scans, cohorts in and out of domain side by side."""

from math import isnan

import pandas as pd

from reports.columns import MISSING
from reports.findings import Findings, cohort_title
from reports.markup import escape, github_table, plain

EXPLAINED = (
    "People are the unit, a person's scans and the training seeds averaged. Any alarm: share of people's scans in "
    "which anything is raised, with its exact 95 % interval; alarms, ml and the alarmed share of the brain: means "
    "with 95 % bootstrap-t intervals. What is raised out of domain and not in domain is the site, no disease."
)
COLUMNS = {"alarm": ("any alarm", 2), "alarms": ("alarms a scan", 1), "alarm_ml": ("ml a scan", 1),
           "alarm_fraction": ("share of the brain", 4)}  # fmt: skip


def alarms_compared(findings: Findings) -> str:
    """A table a number, a line a method, a column a cohort; "" where nothing is summarised."""
    lines = findings.alarms
    if lines.empty:
        return ""
    first = lines.iloc[0]
    told = f"Post-processing `{first['postprocessing']}`, threshold `{escape(first['protocol'])}`."
    tables = [f"**{title.capitalize()}**\n\n{_table(findings, lines, metric, digits)}"
              for metric, (title, digits) in COLUMNS.items()]  # fmt: skip
    return "\n\n".join([f"{told} {EXPLAINED}", *tables])


def _table(findings: Findings, lines: pd.DataFrame, metric: str, digits: int) -> str:
    own = lines[lines["metric"] == metric]
    cohorts = list(dict.fromkeys(zip(own["dataset"], own["domain"], strict=True)))
    cohorts.sort(key=lambda one: one[1] != "in-domain")
    headers = [f"{plain(cohort_title(name))}, {domain}" for name, domain in cohorts]
    by = {(line["method"], line["dataset"]): line for _, line in own.iterrows()}
    body = [
        [findings.whole.label(method), *(_cell(by.get((method, name)), digits) for name, _ in cohorts)]
        for method in dict.fromkeys(own["method"])
    ]
    return github_table(["Method", *map(escape, headers)], body, 1)


def _cell(line: "pd.Series[float] | None", digits: int) -> str:
    """A mean with its interval and n."""
    if line is None or not line["n"]:
        return MISSING
    interval = "" if isnan(line["low"]) else f" ({line['low']:.{digits}f} to {line['high']:.{digits}f})"
    return f"{line['mean']:.{digits}f}{interval}, n {line['n']:.0f}"

"""The report's table of false alarms in healthy scans, cohorts in and out of domain side by side."""

from collections.abc import Iterator
from math import isnan

import pandas as pd

from reports.markup.markdown import MISSING, escape, github_table
from reports.model.run_results import Findings, cohort_title

EXPLAINED = (
    "People are the unit, a person's scans and the training seeds averaged. Any alarm: share of people's scans in "
    "which anything is raised, with its exact 95 % interval; alarms, ml and the alarmed share of the brain: means "
    "with 95 % bootstrap-t intervals. What is raised out of domain and not in domain is the site, no disease."
)
COLUMNS = {"alarm": ("any alarm", 2), "alarms": ("alarms a scan", 1), "alarm_ml": ("alarmed ml a scan", 1),
           "alarm_fraction": ("alarmed share of the brain", 4)}  # fmt: skip


def alarms_compared(findings: Findings) -> str:
    """A table a number, a line a method, a column a cohort; "" where nothing is summarised."""
    tables = [f"**{title[0].upper()}{title[1:]}**\n\n{github_table(headers, body, 1)}"
              for _, title, _, headers, body in alarm_cells(findings)]  # fmt: skip
    told = next((told for _, _, told, _, _ in alarm_cells(findings)), "")
    return "\n\n".join([f"{told} {EXPLAINED}", *tables]) if tables else ""


def alarm_cells(findings: Findings) -> Iterator[tuple[str, str, str, list[str], list[list[str]]]]:
    """Of each number its metric, its title, under what it is, headings and cells."""
    lines = findings.alarms
    for metric, (title, digits) in COLUMNS.items():
        own = lines[lines["metric"] == metric]
        if not own.empty:
            first = own.iloc[0]
            told = f"Post-processing `{first['postprocessing']}`, threshold `{escape(first['protocol'])}`."
            yield metric, title, told, *_cells(findings, own, digits)


def _cells(findings: Findings, own: pd.DataFrame, digits: int) -> tuple[list[str], list[list[str]]]:
    cohorts = list(dict.fromkeys(zip(own["dataset"], own["domain"], strict=True)))
    cohorts.sort(key=lambda one: one[1] != "in-domain")
    headers = [f"{cohort_title(name)}, {domain}" for name, domain in cohorts]
    by = {(line["method"], line["dataset"]): line for _, line in own.iterrows()}
    body = [
        [findings.whole.label(method), *(_cell(by.get((method, name)), digits) for name, _ in cohorts)]
        for method in dict.fromkeys(own["method"])
    ]
    return ["Method", *headers], body


def _cell(line: "pd.Series[float] | None", digits: int) -> str:
    """A mean with its interval and n."""
    if line is None or not line["n"]:
        return MISSING
    interval = "" if isnan(line["low"]) else f" ({line['low']:.{digits}f} to {line['high']:.{digits}f})"
    return f"{line['mean']:.{digits}f}{interval}, n {line['n']:.0f}"

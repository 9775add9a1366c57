"""Section of results by site, age band and sex, each with n."""

from math import isnan

import pandas as pd

from benchmark.analysis.summaries.subgroups import UNKNOWN
from benchmark.metrics import METRICS
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.run_results import RunResults, cohort_title

TITLES = {"site": "Site", "age_band": "Age", "sex": "Sex"}
EXPLAINED = (
    "Means over people, with n and the 95 % bootstrap-t interval from 6 of them on (these weights). Groups differ in "
    "more than what they are called by, such as lesion size: exploratory, nothing here is tested. What a cohort's "
    "`cases.csv` does not say is not shown."
)


def subgroups(results: RunResults) -> str:
    """Per cohort a table an attribute that tells any of its people apart; "" without one."""
    lines = results.summary.subgroups
    lines = lines[lines["split"] == results.split]
    parts = [part for name in dict.fromkeys(lines["dataset"]) for part in _cohort(results, name, lines)]
    return "\n\n".join([results.heading("By site, age and sex"), EXPLAINED, *parts]) if parts else ""


def _cohort(results: RunResults, name: str, lines: pd.DataFrame) -> list[str]:
    own, parts, alike = lines[lines["dataset"] == name], [], []
    for attribute, title in TITLES.items():
        of = own[own["attribute"] == attribute]
        groups = list(dict.fromkeys(of["group"]))
        known = [group for group in groups if group != UNKNOWN]
        if len(groups) > 1 and known:
            for _, table in of.groupby(["metric", "postprocessing", "protocol"], sort=False):
                parts += [_choice_text(title, table), _table(results, table, groups)]
        else:
            alike.append(f"{title.lower()}: {escape(groups[0]) if known else 'unknown'}" if groups else "")
    if not parts:
        return []
    same = f"Of all its people: {', '.join(filter(None, alike))}." if any(alike) else ""
    return list(filter(None, [results.heading(cohort_title(name), 3), same, *parts]))


def _choice_text(title: str, table: pd.DataFrame) -> str:
    one = table.iloc[0]
    choice = [f"`{escape(one[name])}`" for name in ("postprocessing", "protocol") if one[name]]
    return f"**{title}**: {METRICS[one['metric']].title} ({', '.join(choice)})"


def _table(results: RunResults, table: pd.DataFrame, groups: list[str]) -> str:
    sizes = table.groupby("group")["n"].max().reindex(groups, fill_value=0)  # a group may have no case of this metric
    by = {(line["method"], line["group"]): line for _, line in table.iterrows()}
    digits = 4 if table["metric"].iloc[0] == "alarm_fraction" else 3
    body = [
        [results.whole.label(method), *(_cell(by.get((method, group)), sizes[group], digits) for group in groups)]
        for method in dict.fromkeys(table["method"])
    ]
    return github_table(["Method", *(f"{escape(group)} (n {sizes[group]:.0f})" for group in groups)], body, 1)


def _cell(line: "pd.Series[float] | None", size: float, digits: int) -> str:
    """A mean with its interval; with its own n where that is less than the group's."""
    if line is None or isnan(line["mean"]):
        return MISSING
    interval = "" if isnan(line["low"]) else f" ({line['low']:.{digits}f} to {line['high']:.{digits}f})"
    return f"{line['mean']:.{digits}f}{interval}" + (f" [n {line['n']:.0f}]" if line["n"] != size else "")

"""Section of results by site, age band and sex, each with n."""

import pandas as pd

from benchmark.analysis.summaries.subgroups import UNKNOWN
from benchmark.metrics import METRICS
from reports.content.blocks import Block, Paragraph
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, joined, prose
from reports.model.run_results import RunResults, cohort_title

TITLES = {"site": "Site", "age_band": "Age", "sex": "Sex"}
EXPLAINED = prose(
    "Means over people, with n and the 95 % bootstrap-t interval from 6 of them on (this trained model). Groups differ "
    "in more than what they are called by, such as lesion size: exploratory, nothing here is tested. What a cohort's "
    "`cases.csv` does not say is not shown."
)


def subgroups(results: RunResults) -> list[Block]:
    """Per cohort a table an attribute that tells any of its people apart."""
    lines = results.summary.subgroups
    lines = lines[lines["split"] == results.split]
    parts = [part for name in dict.fromkeys(lines["dataset"]) for part in _cohort(results, name, lines)]
    return [results.heading("By site, age and sex"), Paragraph(EXPLAINED), *parts] if parts else []


def _cohort(results: RunResults, name: str, lines: pd.DataFrame) -> list[Block]:
    own = lines[lines["dataset"] == name]
    parts: list[Block] = []
    alike: list[str] = []
    for attribute, title in TITLES.items():
        of = own[own["attribute"] == attribute]
        groups = list(dict.fromkeys(of["group"]))
        known = [group for group in groups if group != UNKNOWN]
        if len(groups) > 1 and known:
            for choice, table in of.groupby(["metric", "postprocessing", "protocol"], sort=False):
                label = "-".join([name, attribute, *map(str, choice)]).strip("-")
                parts.append(
                    _table(
                        results, label, prose("{}, {}: {}", cohort_title(name), title, _choice(table)), table, groups
                    )
                )
        elif groups:
            alike.append(f"{title.lower()}: {groups[0] if known else 'unknown'}")
    if not parts:
        return []
    return [
        *([Paragraph(prose("Of all people of {}: {}.", cohort_title(name), ", ".join(alike)))] if alike else []),
        *parts,
    ]


def _choice(table: pd.DataFrame) -> Text:
    one = table.iloc[0]
    choice = joined([prose("`{}`", one[name]) for name in ("postprocessing", "protocol") if one[name]], ", ")
    return prose("{} ({}).", METRICS[one["metric"]].title, choice)


def _table(results: RunResults, label: str, caption: Text, table: pd.DataFrame, groups: list[str]) -> Table:
    sizes = table.groupby("group")["n"].max().reindex(groups, fill_value=0)  # a group may have no case of this metric
    by = {(line["method"], line["group"]): line for _, line in table.iterrows()}
    digits = 4 if table["metric"].iloc[0] == "alarm_fraction" else 3
    higher = METRICS[table["metric"].iloc[0]].higher_is_better
    columns = [
        *text_columns("Method"),
        *(Column(f"{group} (n {sizes[group]:.0f})", "", higher, digits) for group in groups),
    ]
    rows = [
        [said(results.whole.label(method)), *(_cell(by.get((method, group)), sizes[group]) for group in groups)]
        for method in results.methods
        if method in set(table["method"])
    ]
    return Table(label, caption, columns, rows, stamp="exploratory")


def _cell(line: "pd.Series[float] | None", size: float) -> Cell:
    """A mean with its interval; with its own n where that is less than the group's."""
    if line is None:
        return Cell()
    return Cell(line["mean"], line["low"], line["high"], note=f"[n {line['n']:.0f}]" if line["n"] != size else "")

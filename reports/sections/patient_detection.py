"""Section of whole patients: how well one score tells them from healthy people of another site."""

from collections.abc import Iterator
from math import isnan
from typing import Any

import pandas as pd

from benchmark.analysis.summaries.patient_detection import KIND
from benchmark.metrics import METRICS
from reports.markup.markdown import MISSING, UNDEFINED, escape, github_table
from reports.model.ranking import headline_pipelines
from reports.model.run_results import RunResults, cohort_title

TITLE = "Patients told from healthy people"
EXPLAINED = (
    "AUROC of one score a person, which is the mean over their scans, and over training seeds: the chance that a "
    "patient scores above a healthy person, with its 95 % interval (of these weights, Newcombe's Wilson-type) from "
    "6 people of each kind on. Healthy people are of sites that the method was not trained on, so that it cannot tell "
    "patients by the scanner alone. Patients and healthy people still differ in site: 0.5 is no finding, and what the "
    "site alone does stands under False alarms."
)


def patient_detection(results: RunResults) -> str:
    tables = {name: patient_table(results, name) for name in results.lesion}
    parts = [
        part
        for name, table in tables.items()
        if table
        for part in (results.heading(cohort_title(name), 3), *results.lesion[name].caution_lines, table)
    ]
    if not parts:
        return ""
    under = f"Post-processing `{headline_pipelines(results)[0]}`."
    return "\n\n".join([results.heading(TITLE), f"{under} {EXPLAINED}", *parts])


def patient_table(results: RunResults, cohort: str) -> str:
    """A line a method and healthy cohort, a column a score; "" where nothing is summarised."""
    lines = patient_lines(results, cohort)
    columns = list(dict.fromkeys(zip(lines["metric"], lines["protocol"], strict=True)))
    headings = [f"{METRICS[metric].title}{f', `{protocol}`' if protocol else ''}" for metric, protocol in columns]
    body = []
    for (method, _), own in lines.groupby(["method", "group"], sort=False):
        by = {(line["metric"], line["protocol"]): line for _, line in own.iterrows()}
        cells = [number_text(by[column]) if column in by else "" for column in columns]
        body.append([results.whole.label(method), _against(own), *cells])
    return github_table(["Method", "Patients against healthy people", *headings], body, 2)


def patient_lines(results: RunResults, cohort: str) -> pd.DataFrame:
    """Of `summary.csv`, after the pipeline that tables are of."""
    lines = results.summary.lines
    lines = lines[(lines["kind"] == KIND) & (lines["dataset"] == cohort) & (lines["split"] == results.split)]
    return lines[lines["postprocessing"] == headline_pipelines(results)[0]]


def patient_texts(results: RunResults) -> Iterator[str]:
    """A sentence for each cohort, of the first score of each method."""
    for name in results.lesion:
        lines = patient_lines(results, name)
        first = lines[lines["metric"] == lines["metric"].iloc[0]] if not lines.empty else lines
        told = [f"{line['method']} {number_text(line)} {line['group']}".rstrip() for _, line in first.iterrows()]
        reasons = set(first["unavailable"])
        if len(reasons) == 1 and "" not in reasons:
            told = [reasons.pop()]
        if told:
            title = METRICS[first["metric"].iloc[0]].title
            yield f"Patient-level AUROC of the {title}, {cohort_title(name)}: {'; '.join(told)}."


def number_text(line: "pd.Series[Any]") -> str:
    """The AUROC with its interval, or why there is none."""
    if line["unavailable"]:
        return escape(str(line["unavailable"]))
    if isnan(line["mean"]):
        return UNDEFINED
    return f"{line['mean']:.3f}" + ("" if isnan(line["low"]) else f" ({line['low']:.3f} to {line['high']:.3f})")


def _against(lines: pd.DataFrame) -> str:
    most = lines.sort_values("n").iloc[-1]
    name = str(most["group"]).removeprefix("against ")
    return f"{most['n']:.0f} against {most['controls']:.0f} of {cohort_title(name)}" if name else MISSING

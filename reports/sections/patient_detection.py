"""Section of whole patients: how well one score tells them from healthy people of another site."""

from typing import Any

import pandas as pd

from benchmark.analysis.summaries.patient_detection import KIND
from benchmark.metrics import METRICS
from reports.content.blocks import Block, Paragraph
from reports.content.table import UNDEFINED, Cell, Column, Table, said, text_columns
from reports.content.text import Text, code, joined, prose
from reports.model.ranking import headline_pipelines
from reports.model.run_results import RunResults, cohort_title

TITLE = "Patients told from healthy people"
EXPLAINED = (
    "AUROC of one score a person, which is the mean over their scans, and over training seeds: the chance that a "
    "patient scores above a healthy person, with its 95 % interval (of this trained model, Newcombe's Wilson-type) "
    "from 6 people of each kind on. Healthy people are of sites that the method was not trained on, so that it "
    "cannot tell patients by the scanner alone. Patients and healthy people still differ in site: 0.5 is no finding, "
    "and what the site alone does stands under false positives in healthy scans."
)


def patient_detection(results: RunResults) -> list[Block]:
    tables, reasons = patient_tables(results), patient_reasons(results)
    if not tables and not reasons:
        return []
    return [results.heading(TITLE), *([Paragraph(EXPLAINED)] if tables else []), *tables, *map(Paragraph, reasons)]


def patient_tables(results: RunResults) -> list[Table]:
    """A table a lesion cohort, of those that have any such number."""
    tables = (patient_table(results, name) for name in results.lesion)
    return [table for table in tables if table]


def patient_table(results: RunResults, cohort: str) -> Table:
    """A line a method and healthy cohort, a column a score; no row of a method that has no number at all."""
    lines = patient_lines(results, cohort)
    known = set(lines["method"][lines["unavailable"] == ""])
    lines = lines[lines["method"].isin(known)]
    scores = list(dict.fromkeys(zip(lines["metric"], lines["protocol"], strict=True)))
    rows = []
    for (method, _), own in lines.groupby(["method", "group"], sort=False):
        by = {(line["metric"], line["protocol"]): line for _, line in own.iterrows()}
        cells = [_number(by[score]) if score in by else Cell() for score in scores]
        rows.append([said(results.whole.label(method)), said(_against(own)), *cells])
    titles = [f"{METRICS[metric].title}{f', {protocol}' if protocol else ''}" for metric, protocol in scores]
    columns = [*text_columns("Method", "Patients against healthy people"), *(Column(one, "", True) for one in titles)]
    pipeline, caution = headline_pipelines(results)[0], results.lesion[cohort].caution
    caption = prose("{}: patient-level AUROC, post-processing `{}`. {}", cohort_title(cohort), pipeline, caution)
    return Table(f"{cohort}-patients", caption, columns, rows, headers=2, stamp="exploratory")


def patient_reasons(results: RunResults) -> list[Text]:
    """A sentence for each reason why there is no such number, with the methods and cohorts that it holds for."""
    told: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name in results.lesion:
        lines = patient_lines(results, name)
        for reason, own in lines[lines["unavailable"] != ""].groupby("unavailable", sort=False):
            told.setdefault((str(reason), tuple(own["method"].unique())), []).append(name)
    everyone = tuple(results.whole.seeds)
    return [
        prose(
            "Patient-level AUROC{} on {}: {}.",
            "" if set(methods) == set(everyone) else f" of {', '.join(methods)}",
            joined(map(code, cohorts), ", "),
            reason,
        )
        for (reason, methods), cohorts in told.items()
    ]


def patient_lines(results: RunResults, cohort: str) -> pd.DataFrame:
    """Of `summary.csv`, after the pipeline that tables are of."""
    lines = results.summary.lines
    lines = lines[(lines["kind"] == KIND) & (lines["dataset"] == cohort) & (lines["split"] == results.split)]
    return lines[lines["postprocessing"] == headline_pipelines(results)[0]]


def _number(line: "pd.Series[Any]") -> Cell:
    """The AUROC with its interval; a reason why there is none stands below the tables."""
    return Cell(line["mean"], line["low"], line["high"], absent=UNDEFINED)


def _against(lines: pd.DataFrame) -> str:
    most = lines.sort_values("n").iloc[-1]
    name = str(most["group"]).removeprefix("against ")
    return f"{most['n']:.0f} against {most['controls']:.0f} of {name}" if name else ""

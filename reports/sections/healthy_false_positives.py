"""Section of false positives in healthy scans: cohorts side by side, then each by post-processing."""

from collections.abc import Callable, Hashable, Iterator, Sequence
from math import isnan, nan

import pandas as pd

from benchmark.study.cells import NOT_AVAILABLE
from benchmark.study.protocols import protocol_named
from reports.markup.markdown import MISSING, escape, github_table
from reports.model.cohort_results import CohortResults, Number
from reports.model.ranking import MIXED, domain, headline_pipelines, healthy_protocol
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import Column, markdown_table

EXPLAINED = (
    "People are the unit, a person's scans and the training seeds averaged. Any alarm: share of people's scans in "
    "which anything is raised, with its exact 95 % interval; alarms, ml and the alarmed share of the brain: means "
    "with 95 % bootstrap-t intervals. What is raised out of domain and not in domain is the site, no disease."
)
NOMINAL = (
    "Of `healthy-alarm` the share of people's scans with any false positive, of `healthy-fpr` the flagged share of the "
    "brain, both through the whole pipeline. A nominal rate is what the threshold was chosen for, on validation scans "
    "that may have chosen the checkpoint too: new scans of that site exceed it somewhat, scans of another site as they "
    "will. `calibrate` bounds a rate on scans that chose nothing."
)
COLUMNS = {"alarm": ("any alarm", 2), "alarms": ("alarms a scan", 1), "alarm_ml": ("alarmed ml a scan", 1),
           "alarm_fraction": ("alarmed share of the brain", 4)}  # fmt: skip


def false_positives(results: RunResults) -> str:
    protocol = healthy_protocol(results)
    if not results.fitted_on:
        return "\n\n".join([results.heading("False alarms in healthy scans"), f"In-domain: {NOT_AVAILABLE}."])
    if not protocol or not results.scanned:
        return ""
    parts = [
        results.heading("False alarms in healthy scans"),
        f"Threshold `{protocol}`: {protocol_named(protocol).what}. Everything raised is false.",
        *filter(None, [alarms_compared(results), realised_rates(results)]),
    ]
    explained = {
        "in-domain": "in-domain: the cohort that the methods were fitted on",
        "out-of-domain": "out-of-domain: another cohort",
        MIXED: "in-domain for the methods that were fitted on it, out-of-domain for the others",
    }
    for name, cohort in results.scanned.items():
        where = domain(results, name)
        parts += [results.heading(f"{cohort_title(name)}, {explained[where]}", 3), *cohort.caution_lines]
        if results.validation and where == "in-domain":
            parts.append("These are the scans that the threshold was chosen on: what it aims at is what it gets.")
        table = alarm_table(cohort, results.scoring.postprocessing, protocol)
        parts += ["<details><summary>By post-processing</summary>", table, "</details>"]
    return "\n\n".join(parts)


def alarms_compared(results: RunResults) -> str:
    """A table a number, a line a method, a column a cohort; "" where nothing is summarised."""
    tables = [f"**{title[0].upper()}{title[1:]}**\n\n{github_table(headers, body, 1)}"
              for _, title, _, headers, body in alarm_cells(results)]  # fmt: skip
    told = next((told for _, _, told, _, _ in alarm_cells(results)), "")
    return "\n\n".join([f"{told} {EXPLAINED}", *tables]) if tables else ""


def realised_rates(results: RunResults) -> str:
    """What every threshold aimed at and what it gets on healthy scans; "" without such numbers."""
    body = [
        [f"`{protocol}`", f"{nominal:.3g}", results.whole.label(method), *cells]
        for protocol, nominal, method, cells in realised(results)
    ]
    cohorts = [f"{cohort_title(name)}, {domain(results, name)}" for name in in_domain_first(results)]
    table = github_table(["Threshold", "nominal", "Method", *cohorts], body, 3)
    return f"**Nominal and realised rates**\n\n{NOMINAL}\n\n{table}" if body else ""


def realised(results: RunResults) -> Iterator[tuple[str, float, str, list[str]]]:
    """Of each threshold that aims at a rate and of each method: the rate aimed at, and the one in each cohort."""
    pipeline = headline_pipelines(results)[0]
    for protocol in results.scoring.protocols:
        aimed = protocol_named(protocol).rate
        if aimed is None:
            continue
        metric = "alarm" if protocol_named(protocol).rule == "alarm" else "alarm_fraction"
        found = [results.scanned[name].numbers(metric, pipeline, protocol) for name in in_domain_first(results)]
        for method in results.whole.seeds:
            if any(one[method].defined for one in found):
                cells = [f"{one[method].value:.3g}" if one[method].defined else MISSING for one in found]
                yield protocol, aimed, method, cells


def in_domain_first(results: RunResults) -> list[str]:
    return sorted(results.scanned, key=lambda name: domain(results, name) != "in-domain")


def alarm_cells(results: RunResults) -> Iterator[tuple[str, str, str, list[str], list[list[str]]]]:
    """Of each number its metric, its title, under what it is, headings and cells."""
    lines = results.summary.healthy
    for metric, (title, digits) in COLUMNS.items():
        own = lines[lines["metric"] == metric]
        if not own.empty:
            first = own.iloc[0]
            told = f"Post-processing `{first['postprocessing']}`, threshold `{escape(first['protocol'])}`."
            yield metric, title, told, *_cells(results, own, digits)


def _cells(results: RunResults, own: pd.DataFrame, digits: int) -> tuple[list[str], list[list[str]]]:
    cohorts = list(dict.fromkeys(zip(own["dataset"], own["domain"], strict=True)))
    cohorts.sort(key=lambda one: one[1] != "in-domain")
    headers = [f"{cohort_title(name)}, {domain}" for name, domain in cohorts]
    by = {(line["method"], line["dataset"], line["domain"]): line for _, line in own.iterrows()}
    body = [
        [results.whole.label(method), *(_cell(by.get((method, *cohort)), digits) for cohort in cohorts)]
        for method in dict.fromkeys(own["method"])
    ]
    return ["Method", *headers], body


def _cell(line: "pd.Series[float] | None", digits: int) -> str:
    """A mean with its interval and n."""
    if line is None or not line["n"]:
        return MISSING
    interval = "" if isnan(line["low"]) else f" ({line['low']:.{digits}f} to {line['high']:.{digits}f})"
    return f"{line['mean']:.{digits}f}{interval}, n {line['n']:.0f}"


def alarm_table(cohort: CohortResults, pipelines: Sequence[str], protocol: str) -> str:
    """What is flagged in healthy scans, a line a method and pipeline; people are the unit."""
    lines = [
        (method, pipeline)
        for method in cohort.seeds
        for pipeline in ([MISSING] if cohort.of(method).empty else pipelines)
    ]

    def column(title: str, metric: str, digits: int, kind: str = "mean") -> Column:
        by_pipeline = {pipeline: cohort.numbers(metric, pipeline, protocol, kind) for pipeline in (*pipelines, MISSING)}
        numbers: dict[Hashable, Number] = {line: by_pipeline[line[1]][line[0]] for line in lines}
        return Column(title, numbers, show=lambda one: f"{one.value:.{digits}f}")

    columns = [
        column("Any alarm", "alarm", 2),
        column("Alarms a scan", "alarms", 1),
        column("ml a scan", "alarm_ml", 1),
        column("Alarmed fraction: median", "alarm_fraction", 4, "median"),
        column("lower quartile", "alarm_fraction", 4, "lower quartile"),
        column("upper quartile", "alarm_fraction", 4, "upper quartile"),
    ]
    lead: dict[str, Callable[[tuple[str, str]], str]] = {
        "Method": lambda line: cohort.label(line[0]),
        "Post-processing": lambda line: line[1],
        "Scans": lambda line: str(cohort.of(line[0])["case_id"].replace("", nan).nunique() or MISSING),
    }
    return markdown_table(lines, lead, columns)

"""Sections of false positives in healthy scans: cohorts side by side, then each by post-processing."""

from collections.abc import Hashable, Sequence

from benchmark.study.cells import NOT_AVAILABLE
from benchmark.study.protocols import protocol_named
from reports.content.blocks import Block, Paragraph
from reports.content.table import Cell, Column, Table, said, text_columns
from reports.content.text import Text, prose
from reports.model.cohort_results import CohortResults, Number, of_cases
from reports.model.ranking import domain, headline_pipelines, healthy_protocol
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import Lead, Measure, measured

EXPLAINED = (
    "People are the unit, a person's scans and the training seeds averaged. Any: share of people's scans in which "
    "anything is flagged, with its exact 95 % interval; volume and share of the brain: means with 95 % bootstrap-t "
    "intervals. What is flagged out of domain but not in domain reflects the site, not disease."
)
HOME = "in-domain"
TWICE = (
    "A cohort that some methods were fitted on stands twice: in-domain for the methods that were fitted on it, "
    "out-of-domain for the others."
)
NOMINAL = prose(
    "Realised and nominal rates: for `healthy-alarm` the share of people's scans with any false positive, for "
    "`healthy-fpr` the flagged share of the brain, both after the whole pipeline. New scans of the training site "
    "exceed the nominal rate somewhat, scans of another site may exceed it by any amount; `calibrate` bounds a rate "
    "on scans that chose no threshold."
)
TITLE = "False positives in healthy scans"
SHOWN = {"alarm": ("Any", "", 2), "alarm_ml": ("Volume", "ml", 1), "alarm_fraction": ("Share of the brain", "", 4)}
"""Title, unit and digits of each number."""


def false_positives(results: RunResults) -> list[Block]:
    protocol = healthy_protocol(results)
    if not results.fitted_on:
        return [results.heading(TITLE), Paragraph(f"In-domain: {NOT_AVAILABLE}.")]
    if not protocol or not results.scanned:
        return []
    cautions = [line for cohort in results.scanned.values() for line in cohort.caution_lines]
    told = (
        [Paragraph("In domain these are the scans that the threshold was chosen on: what it aims at is what it gets.")]
        if results.validation
        else []
    )
    return [
        results.heading(TITLE),
        *cautions,
        *told,
        *(table for table in (compared(results), realised(results)) if table),
    ]


def by_postprocessing(results: RunResults) -> list[Block]:
    """The same after each pipeline, a table a cohort."""
    protocol = healthy_protocol(results)
    if not protocol or not results.scanned:
        return []
    tables = [
        postprocessing_table(name, cohort, results.scoring.postprocessing, protocol)
        for name, cohort in results.scanned.items()
    ]
    return [results.heading("False positives in healthy scans by post-processing"), *tables]


def in_domain_first(results: RunResults) -> list[str]:
    return sorted(results.scanned, key=lambda name: domain(results, name) != HOME)


def compared(results: RunResults) -> Table:
    """A line a method, each number of each cohort beside the other."""
    lines = results.summary.healthy
    by = {(line["method"], line["dataset"], line["domain"], line["metric"]): line for _, line in lines.iterrows()}
    cohorts = sorted(dict.fromkeys(zip(lines["dataset"], lines["domain"], strict=True)), key=lambda one: one[1] != HOME)
    columns, keys = text_columns("Method"), []
    for metric, (title, unit, digits) in SHOWN.items():
        for name, where in cohorts:
            keys.append((name, where, metric))
            columns.append(Column(f"{title}, {name} ({where})", unit, False, digits))
    known = set(lines["method"])
    rows = [
        [said(results.whole.label(method)), *(_cell(by.get((method, *key))) for key in keys)]
        for method in results.methods
        if method in known
    ]
    choices = dict.fromkeys(results.summary.healthy_choice(name) for name, _ in cohorts)
    under = Text() if len(choices) != 1 else prose("Post-processing `{}`, threshold `{}`.", *next(iter(choices)))  # type: ignore[misc]
    twice = "" if len({name for name, _ in cohorts}) == len(cohorts) else TWICE
    caption = prose("{}. {} {} {}", TITLE, under, EXPLAINED, twice)
    return Table("healthy-false-positives", caption, columns, rows, stamp="exploratory").without_doubles()


def _cell(line: object) -> Cell:
    """A mean with its interval and n; `line` is one of `summary.csv`, or None."""
    if line is None or not line["n"]:  # type: ignore[index]
        return Cell()
    mean, low, high, n = (float(line[name]) for name in ("mean", "low", "high", "n"))  # type: ignore[index]
    return Cell(mean, low, high, note=f"n {n:.0f}")


def realised(results: RunResults) -> Table:
    """What every threshold promises and what it gets on healthy scans, a line a method."""
    pipeline = headline_pipelines(results)[0]
    columns, numbers = text_columns("Method"), []
    for protocol in results.scoring.protocols:
        promised = protocol_named(protocol).rate
        if promised is None:
            continue
        metric = "alarm" if protocol_named(protocol).rule == "alarm" else "alarm_fraction"
        for name in in_domain_first(results):
            found = results.scanned[name].numbers(metric, pipeline, protocol)
            if any(one.defined for one in found.values()):
                numbers.append(found)
                columns.append(Column(f"{protocol}, promised {promised:g}, {name}", digits=4))
    rows = [
        [said(results.whole.label(method)), *(Cell(one[method].value) for one in numbers)]
        for method in results.methods
        if any(one[method].defined for one in numbers)
    ]
    caption = prose("{} Post-processing `{}`.", NOMINAL, pipeline)
    return Table("healthy-realised", caption, columns, rows, stamp="exploratory")


def postprocessing_table(name: str, cohort: CohortResults, pipelines: Sequence[str], protocol: str) -> Table:
    """What is flagged in healthy scans, a line a method and pipeline; people are the unit."""
    lines: list[Hashable] = [
        (method, pipeline) for method in cohort.seeds for pipeline in ([""] if cohort.of(method).empty else pipelines)
    ]

    def measure(title: str, metric: str, digits: int, kind: str = "mean", unit: str = "") -> Measure:
        by = {pipeline: cohort.numbers(metric, pipeline, protocol, kind) for pipeline in (*pipelines, "")}
        numbers: dict[Hashable, Number] = {line: by[line[1]][line[0]] for line in lines}  # type: ignore[index]
        return Measure(Column(title, unit, digits=digits), numbers)

    measures = [
        measure("Any", "alarm", 2),
        measure("Components a scan", "alarms", 1),
        measure("Volume a scan", "alarm_ml", 1, unit="ml"),
        measure("Share of the brain, median", "alarm_fraction", 4, "median"),
        measure("lower quartile", "alarm_fraction", 4, "lower quartile"),
        measure("upper quartile", "alarm_fraction", 4, "upper quartile"),
    ]
    lead: Lead[Hashable] = {
        "Method": lambda line: cohort.label(line[0]),  # type: ignore[index]
        "Post-processing": lambda line: line[1],  # type: ignore[index]
        "Scans": lambda line: str(of_cases(cohort.of(line[0]))["case_id"].nunique() or ""),  # type: ignore[index]
    }
    caption = prose("{}, threshold `{}`: {}.", cohort_title(name), protocol, protocol_named(protocol).what)
    return measured(f"{name}-healthy", caption, lines, lead, measures)

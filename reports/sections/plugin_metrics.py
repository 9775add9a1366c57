"""The report's section of metrics that plugins define: their means cohort by cohort, under each first choice."""

from collections.abc import Iterator

from benchmark.metrics import METRICS
from reports.content.blocks import Block
from reports.content.table import Table
from reports.content.text import prose
from reports.model.cohort_results import CohortResults
from reports.model.ranking import headline_pipelines, headlines, healthy_protocol
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import measured, metric_measure, metric_title


def plugin_metrics(results: RunResults) -> list[Block]:
    """A table a cohort, kind of cases and choice; none without a number of such a metric."""
    tables = [table for table in plugin_tables(results) if table]
    return [results.heading("Metrics of plugins"), *tables] if tables else []


def plugin_tables(results: RunResults) -> Iterator[Table]:
    """Of each cohort those that have any number, lesion cases first."""
    for name in results.cohorts:
        if name in results.lesion:
            cohort = results.lesion[name]
            for first in headlines(results, cohort):
                yield _table(name, "lesion", first.pipeline, first.protocol, cohort)
        if name in results.scanned:
            for pipeline in headline_pipelines(results):
                yield _table(name, "healthy", pipeline, healthy_protocol(results), results.scanned[name])


def _table(name: str, cases: str, pipeline: str, protocol: str, cohort: CohortResults) -> Table:
    measures = [
        metric_measure(
            cohort,
            metric_title(one.name),
            one.name,
            pipeline if one.needs_map else "",
            protocol if one.needs_threshold else "",
        )
        for one in METRICS.usable().values()
        if one.origin
    ]
    there = [one for one in measures if any(number.defined for number in one.numbers.values())]
    threshold = prose(", threshold `{}`", protocol) if protocol else ""
    caption = prose(
        "{}, {} cases, post-processing `{}`{}. {}", cohort_title(name), cases, pipeline, threshold, cohort.caution
    )
    lines = cohort.ordered if there else []
    return measured(f"plugins-{name}-{cases}-{pipeline}", caption, lines, {"Method": cohort.label}, there)

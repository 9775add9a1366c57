"""The report's section of metrics that plugins define: their means cohort by cohort, under each first choice."""

from collections.abc import Iterator
from dataclasses import dataclass

from benchmark.metrics import METRICS
from reports.model.cohort_results import CohortResults
from reports.model.ranking import headline_pipelines, headlines, healthy_protocol
from reports.model.run_results import RunResults, cohort_title
from reports.sections.columns import Column, cells, headings, markdown_table, metric_column, metric_title


@dataclass(frozen=True)
class PluginTable:
    """The metrics of plugins on one cohort's cases under one choice, a line a method.

    Attributes:
        cases: "lesion" or "healthy", which of the cohort's cases the means are over.
    """

    name: str
    cases: str
    pipeline: str
    protocol: str
    cohort: CohortResults
    columns: list[Column]

    @property
    def caption(self) -> str:
        """Cases and choice, as Markdown."""
        threshold = f", threshold `{self.protocol}`" if self.protocol else ""
        return f"{self.cases.capitalize()} cases, post-processing `{self.pipeline}`{threshold}."

    @property
    def markdown(self) -> str:
        return markdown_table(self.cohort.ordered, {"Method": self.cohort.label}, self.columns)

    @property
    def cells(self) -> tuple[list[str], list[list[str]]]:
        """Headings and body."""
        lead = {"Method": self.cohort.label}
        return headings(lead, self.columns), cells(self.cohort.ordered, lead, self.columns)


def plugin_metrics(results: RunResults) -> str:
    """Markdown; "" without a number of such a metric."""
    parts, shown = [], ""
    for one in plugin_tables(results):
        if one.name != shown:
            parts += [results.heading(cohort_title(one.name), 3), *one.cohort.caution_lines]
            shown = one.name
        parts += [one.caption, one.markdown]
    return "\n\n".join([results.heading("Metrics of plugins"), *parts]) if parts else ""


def plugin_tables(results: RunResults) -> Iterator[PluginTable]:
    """Of each cohort those that have any number, lesion cases first."""
    for name in results.cohorts:
        if name in results.lesion:
            cohort = results.lesion[name]
            for first in headlines(results, cohort):
                yield from _table(name, "lesion", first.pipeline, first.protocol, cohort)
        if name in results.scanned:
            for pipeline in headline_pipelines(results):
                yield from _table(name, "healthy", pipeline, healthy_protocol(results), results.scanned[name])


def _table(name: str, cases: str, pipeline: str, protocol: str, cohort: CohortResults) -> Iterator[PluginTable]:
    columns = [
        metric_column(
            cohort,
            metric_title(one.name),
            one.name,
            pipeline if one.needs_map else "",
            protocol if one.needs_threshold else "",
        )
        for one in METRICS.usable().values()
        if one.origin
    ]
    there = [column for column in columns if any(number.defined for number in column.numbers.values())]
    if there:
        yield PluginTable(name, cases, pipeline, protocol, cohort, there)

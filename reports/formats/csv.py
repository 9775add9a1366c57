"""CSV format: every number of the tables of cohorts, for machines."""

from collections.abc import Iterator
from pathlib import Path

from datasets.io.tables import write_table
from reports.document import Document
from reports.model.run_results import RunResults

COLUMNS = ("dataset", "cases", "method", "postprocessing", "protocol", "metric", "value", "sd", "defined", "wanted")


def write_csv(document: Document, path: Path) -> None:
    """Write the numbers of unshifted scans, each cohort's endpoints first; missing and undefined ones are left out."""
    write_table(path, COLUMNS, _lines(document.results))


def _lines(results: RunResults) -> Iterator[tuple[object, ...]]:
    for cases, cohorts in (("lesion", results.lesion), ("healthy", results.healthy)):
        for name, cohort in cohorts.items():
            for metric, pipeline, protocol in cohort.choices:
                numbers = cohort.numbers(metric, pipeline, protocol)
                for method in cohort.ordered:
                    one = numbers[method]
                    if one.defined:
                        where = (name, cases, method, pipeline, protocol, metric)
                        yield (*where, one.value, one.sd, one.defined, one.wanted)

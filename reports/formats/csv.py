"""write_csv: `boards.csv`, the means of `summary.csv` cohort by cohort, for machines."""

from collections.abc import Iterator
from pathlib import Path

from datasets.io.tables import write_table
from reports.document import Document
from reports.model.run_results import RunResults

COLUMNS = ("dataset", "cases", "method", "postprocessing", "protocol", "metric", "value", "sd", "defined", "wanted")


def write_csv(document: Document, path: Path) -> None:
    """Write every number of unshifted scans; missing and undefined ones are left out."""
    write_table(path, COLUMNS, _lines(document.results))


def _lines(results: RunResults) -> Iterator[tuple[object, ...]]:
    for cases, cohorts in (("lesion", results.lesion), ("healthy", results.healthy)):
        for name, cohort in cohorts.items():
            for place, one in cohort.means.items():
                if one.defined:
                    choice = (place.method, place.postprocessing, place.protocol, place.metric)
                    yield (name, cases, *choice, one.value, one.sd, one.defined, one.wanted)

"""Document: the sections of a report as Markdown, composed once and written in any format."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.analysis.changes import Changes
from benchmark.storage.folder import RunFolder
from datasets.cohorts.catalog import dataset
from reports.model.run_results import RunResults, find_scans, read_results
from reports.sections.registry import in_reading_order
from reports.sections.run_setup import opening


@dataclass(frozen=True)
class Document:
    """What every format of a report is written from.

    Attributes:
        sections: Markdown, in reading order, none empty; pictures lie below the run's `figures/`.
        volumes: whether a format that can hold scans and maps does; only of cohorts whose scans may be shown.
    """

    results: RunResults
    sections: Sequence[str]
    volumes: bool = True

    @property
    def run(self) -> RunFolder:
        return self.results.run


def compose(
    run: RunFolder,
    data: Path | None,
    *,
    pictures: Sequence[str] | None = None,
    since: Changes | None = None,
    volumes: bool = True,
) -> Document:
    """Read a run's rows and summaries, and draw its pictures into `figures/`.

    Args:
        data: where the scans are now, for the pictures; None for where they were.
        pictures: cohorts whose scans may be shown; None for all. Earlier pictures of others are removed.
        since: what changed since an earlier run; None where none was named.
        volumes: see `Document`.

    Raises:
        MissingData: nothing has been scored yet.
        UnknownName: `pictures` names a cohort that does not exist.
    """
    shown = None if pictures is None else [dataset(name).name for name in pictures]
    results = replace(read_results(run), scans=find_scans(run, data), shown=shown, changes=since)
    sections = [opening(results), *(section.write(results) for section in in_reading_order())]
    return Document(results, [section for section in sections if section], volumes)

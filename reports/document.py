"""Document: the sections of a report as Markdown, composed once and written in any format."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.analysis.changes import Changes
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_pictures
from datasets.cohorts.catalog import dataset
from datasets.errors import one_line
from reports.model.run_results import RunResults, find_scans, read_results
from reports.sections.registry import Section, in_reading_order
from reports.sections.run_setup import opening

log = logging.getLogger(__name__)


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
        pictures: cohorts whose scans may be shown; None for those that the run names. Earlier pictures of others are
            removed.
        since: what changed since an earlier run; None where none was named.
        volumes: see `Document`.

    Raises:
        MissingData: nothing has been scored yet.
        UnknownName: `pictures` names a cohort that does not exist.
    """
    shown = kept_pictures(run) if pictures is None else [dataset(name).name for name in pictures]
    results = replace(read_results(run), scans=find_scans(run, data), shown=shown, changes=since)
    sections = [opening(results), *(_written(section, results) for section in in_reading_order())]
    return Document(results, [section for section in sections if section], volumes)


def _written(section: Section, results: RunResults) -> str:
    """A section's Markdown; "" with a warning where a plugin's cannot be written."""
    try:
        written: object = section.write(results)
        if not isinstance(written, str):
            raise TypeError(f"got {type(written).__name__} of write, expected Markdown as a string")
    except Exception as error:  # whatever a plugin raises costs only its own section
        if not section.origin:
            raise
        log.warning("Report section '%s' of %s is left out: %s.", section.name, section.origin, one_line(error))
        return ""
    return written

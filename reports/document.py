"""Document: the sections of a report as blocks, composed once and written in any format."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.analysis.changes import Changes
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_pictures
from datasets.cohorts.catalog import dataset
from datasets.errors import one_line
from datasets.progress import watched
from reports.content.blocks import Block, Folded, Heading
from reports.model.run_results import RunResults, find_scans, read_results
from reports.sections.registry import PARTS, Section, in_reading_order
from reports.sections.run_setup import opening

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Document:
    """What every format of a report is written from.

    Attributes:
        opening: the title, and what qualifies every number.
        sections: in reading order, none empty, each with the name of its part.
        volumes: whether a format that can hold scans and maps does; only of cohorts whose scans may be shown.
    """

    results: RunResults
    opening: Sequence[Block]
    sections: Sequence[tuple[str, Sequence[Block]]]
    volumes: bool = True

    @property
    def run(self) -> RunFolder:
        return self.results.run

    @property
    def blocks(self) -> list[Block]:
        """The whole report; the appendix's sections are folded."""
        made = list(self.opening)
        for part, title in PARTS.items():
            own = [blocks for name, blocks in self.sections if name == part]
            made += [Heading(self.results.titled(title))] if own else []
            for blocks in own:
                made += [_folded(blocks)] if part == "appendix" else blocks
        return made


def _folded(blocks: Sequence[Block]) -> Block:
    """A section below its heading."""
    first = blocks[0]
    return Folded(first.text, blocks[1:], 3) if isinstance(first, Heading) else Folded("More", blocks, 3)


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
    known = watched(in_reading_order(), "report", unit="sections")
    sections = [(part, _written(section, results)) for part, section in known]
    return Document(results, opening(results), [(part, blocks) for part, blocks in sections if blocks], volumes)


def _written(section: Section, results: RunResults) -> Sequence[Block]:
    """A section's blocks; none with a warning where a plugin's cannot be written."""
    try:
        blocks: object = section.write(results)
        if (
            isinstance(blocks, str)
            or not isinstance(blocks, Sequence)
            or not all(isinstance(block, Block) for block in blocks)
        ):
            raise TypeError(f"got {type(blocks).__name__} of write, expected a sequence of blocks")
    except Exception as error:  # whatever a plugin raises costs only its own section
        if not section.origin:
            raise
        log.warning("Report section '%s' of %s is left out: %s.", section.name, section.origin, one_line(error))
        return []
    return blocks

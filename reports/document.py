"""Document: a report's sections as Markdown, made once and written in whatever formats are asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.analysis.changes import Since
from benchmark.storage.folder import RunFolder
from datasets.cohorts.catalog import dataset
from reports.model.run_results import Findings, read_findings
from reports.sections.at_a_glance import glance
from reports.sections.changes import changed
from reports.sections.cohort_tables import dice_matrices, field_of_view, leaderboards
from reports.sections.data_cards import data_cards
from reports.sections.detection import detection
from reports.sections.efficiency import quality_and_cost
from reports.sections.gallery import Scans, find_scans, gallery
from reports.sections.healthy_false_positives import false_alarms
from reports.sections.implants import implanted_lesions
from reports.sections.notes import noted
from reports.sections.pairwise_tests import separation
from reports.sections.paper_text import methods_section
from reports.sections.reconstruction import reconstructions
from reports.sections.run_setup import configurations, facts, opening
from reports.sections.shifts import under_shift
from reports.sections.subgroups import by_group


@dataclass(frozen=True)
class Document:
    """What every format of a report is written from.

    Attributes:
        sections: Markdown, in reading order, none empty; pictures lie below the run's `figures/`.
        shown: cohorts whose scans may be shown; None for all.
    """

    findings: Findings
    scans: Scans
    shown: Sequence[str] | None
    sections: Sequence[str]

    @property
    def run(self) -> RunFolder:
        return self.findings.run


def compose(
    run: RunFolder, data: Path | None, *, pictures: Sequence[str] | None = None, since: Since | None = None
) -> Document:
    """Read a run's rows and draw its pictures into `figures/`.

    Args:
        data: where the scans are now, for the pictures; None for where they were.
        pictures: cohorts whose scans may be shown; None for all. Earlier pictures of others are removed.
        since: what changed since an earlier run; None where none was named.

    Raises:
        MissingData: nothing has been scored yet.
        UnknownName: `pictures` names a cohort that does not exist.
    """
    shown = None if pictures is None else [dataset(name).name for name in pictures]
    findings, scans = read_findings(run), find_scans(run, data)
    sections = [
        opening(findings),
        glance(findings),
        changed(findings, since),
        facts(findings, scans.study),
        separation(findings),
        leaderboards(findings),
        dice_matrices(findings),
        detection(findings),
        false_alarms(findings),
        by_group(findings),
        quality_and_cost(findings),
        reconstructions(findings),
        under_shift(findings),
        implanted_lesions(findings),
        field_of_view(findings),
        noted(findings),
        gallery(findings, scans, shown),
        data_cards(findings),
        methods_section(findings),
        configurations(findings),
    ]
    return Document(findings, scans, shown, [section for section in sections if section])

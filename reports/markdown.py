"""write_report: `report.md`, a study's boards, notes and pictures for a reader who opens it first."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.runfolder import RunFolder, write_text
from datasets.catalog import dataset
from reports.audiogram import implanted_lesions
from reports.cards import data_cards
from reports.findings import read_findings
from reports.opening import opening
from reports.pictures import find_scans, gallery
from reports.responses import under_shift
from reports.sections import (
    configurations,
    dice_matrices,
    false_alarms,
    field_of_view,
    leaderboards,
    noted,
    reconstructions,
)


def write_report(run: RunFolder, data: Path | None, *, pictures: Sequence[str] | None = None) -> Path:
    """Write `report.md` and its `figures/` into a run folder; the path of the former is returned.

    Args:
        data: where the scans are now, for the pictures; None for where they were.
        pictures: cohorts whose scans may be shown; None for all. Earlier pictures of others are removed.

    Raises:
        MissingData: nothing has been scored yet.
        UnknownName: `pictures` names a cohort that does not exist.
    """
    shown = None if pictures is None else [dataset(name).name for name in pictures]
    findings, scans = read_findings(run), find_scans(run, data)
    sections = [
        opening(findings, scans.study),
        leaderboards(findings),
        dice_matrices(findings),
        false_alarms(findings),
        reconstructions(findings),
        under_shift(findings),
        implanted_lesions(findings),
        field_of_view(findings),
        noted(findings),
        gallery(findings, scans, shown),
        data_cards(findings),
        configurations(findings),
    ]
    path = run.root / "report.md"
    write_text(path, "\n\n".join(section for section in sections if section) + "\n")
    return path

"""What the command line asks of reports: reports, texts for the terminal, figures of pairs, leaderboards."""

from collections.abc import Sequence
from pathlib import Path

from benchmark.analysis.changes import Changes
from benchmark.storage.folder import RunFolder
from reports.document import compose
from reports.figures.paired_differences import PairDifferences, write_differences
from reports.figures.scan_picture import write_scan_picture
from reports.formats.registry import FORMATS, write_document
from reports.formats.terminal import audiogram_text, terminal_text
from reports.leaderboard.method_page import write_entry_pictures
from reports.leaderboard.results import LeaderboardResults
from reports.leaderboard.site import write_site
from reports.model.ranking import rankings_of
from reports.model.run_results import read_results
from reports.model.verdict import Verdict, verdict_of
from reports.replication.page import draw_replication
from reports.replication.write import write_replication
from reports.sections.paper_text import paragraph, parts_text, pooled_text, ranks_text, verdict_line
from reports.sections.registry import SECTIONS
from reports.unchanged import ingredients, keep_reports, standing_reports

__all__ = [
    "FORMATS",
    "SECTIONS",
    "LeaderboardResults",
    "PairDifferences",
    "Verdict",
    "audiogram_text",
    "draw_replication",
    "ingredients",
    "keep_reports",
    "paragraph",
    "parts_text",
    "pooled_text",
    "ranks_text",
    "remove_reports",
    "standing_reports",
    "terminal_text",
    "verdict_line",
    "verdicts",
    "write_differences",
    "write_entry_pictures",
    "write_replication",
    "write_report",
    "write_scan_picture",
    "write_site",
]


def write_report(
    run: RunFolder,
    data: Path | None,
    *,
    formats: Sequence[str] = ("md",),
    pictures: Sequence[str] | None = None,
    since: Changes | None = None,
    volumes: bool = True,
) -> list[Path]:
    """Write a run's report and its `figures/`; the paths of its files are returned. See `compose` for the arguments.

    Args:
        formats: names of `FORMATS`.

    Raises:
        MissingData: nothing has been scored yet.
        UnknownName: a format or a cohort that does not exist.
    """
    document = compose(run, data, pictures=pictures, since=since, volumes=volumes)
    return [path for name in formats if (path := write_document(document, name)) is not None]


def remove_reports(run: RunFolder) -> list[str]:
    """Remove the reports of a run, whose rows are about to change; the formats to write again are returned.

    Markdown is always among them.
    """
    formats = [one for one in FORMATS.usable().values() if one.name == "md" or (run.root / one.file).is_file()]
    for one in formats:
        (run.root / one.file).unlink(missing_ok=True)
    return [one.name for one in formats]


def verdicts(run: RunFolder) -> dict[str, Verdict]:
    """By cohort with lesions what its endpoints allow to say; without those that have no number to rank by."""
    results = read_results(run)
    ranked = {name: rankings_of(results, name) for name in results.lesion}
    return {name: verdict_of(results.lesion[name], found) for name, found in ranked.items() if found}

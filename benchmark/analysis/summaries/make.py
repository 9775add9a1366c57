"""Make a run's `summary.csv` and `comparisons.csv`, anew where rows, endpoint, participants or program changed."""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from benchmark import __version__
from benchmark.analysis.compare_methods import Comparable, Standing
from benchmark.analysis.endpoints import endpoint_choices
from benchmark.analysis.summaries.costs import cost_lines
from benchmark.analysis.summaries.healthy_false_positives import healthy_lines
from benchmark.analysis.summaries.lesion_detection import lesion_recall_lines
from benchmark.analysis.summaries.means import mean_lines, stratum_lines
from benchmark.analysis.summaries.patient_detection import patient_detection_lines
from benchmark.analysis.summaries.shift_responses import shift_lines
from benchmark.analysis.summaries.standings import lines_of, standing_lines, standings_of
from benchmark.analysis.summaries.subgroups import Participant, participants_of, subgroup_lines
from benchmark.statistics.panel import QUESTIONS
from benchmark.statistics.primary_endpoint import Endpoint, read_endpoint
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_cells
from benchmark.storage.run_tables import has_table, run_rows
from benchmark.storage.summary_tables import (
    ComparisonLine,
    SummaryLine,
    add_lines,
    comparison_line,
    comparisons_path,
    keep_record,
    participants_path,
    read_lines,
    summary_path,
    summary_record,
    write_summary_lines,
)

log = logging.getLogger(__name__)

CHOICE = ("dataset", "split", "metric", "postprocessing", "protocol")
PLACE = ("cases", "group", "stratum", "shift", "kind", "method")
"""Columns that tell lines apart beside those of the choice; of one place a new line replaces the old one."""
LAYOUT = 9
"""To be raised with what the tables hold."""


def summarise(run: RunFolder, data: Path | None, *, endpoint: Endpoint | None = None) -> bool:
    """Write a run's summary and comparisons; whether they had to be made.

    Args:
        data: where the cohorts are now; None for where they were. Where they are not, the participants stay as known.

    Raises:
        MissingData: nothing has been scored yet.
    """
    comparable = Comparable(run, endpoint or read_endpoint())
    participants = list(participants_of(run, data)) or _participants_before(run)
    record = _record(comparable, participants)
    if record == {name: value for name, value in summary_record(run.root).items() if name != "files"}:
        return False
    write_summary_lines(participants_path(run.root), Participant, participants)
    standings = list(standings_of(comparable))
    pairs = [pair for one in standings for question in QUESTIONS for pair in one.comparisons[question]]
    write_summary_lines(comparisons_path(run.root), ComparisonLine, map(comparison_line, pairs))
    write_summary_lines(summary_path(run.root), SummaryLine, _lines(comparable, standings, participants))
    keep_record(run.root, record)
    return True


def _participants_before(run: RunFolder) -> list[Participant]:
    """As an earlier summary has left them; none, with a warning, where they cannot be read."""
    path = participants_path(run.root)
    if path.is_file() and not summary_record(run.root):
        log.warning("%s is damaged, and the data are not there: no results by site, age and sex.", path)
        return []
    return [Participant(*line) for line in read_lines(path, Participant).itertuples(index=False)]


def add_standings(comparable: Comparable, standings: Sequence[Standing], folder: Path) -> Path:
    """Add pairs that were asked for, and their methods' intervals, to the tables of a folder; the pairs' is returned.

    Lines of the same choices are replaced. In the run's own folder those of endpoints stay as `summarise` made them.
    """
    endpoints = {choice for dataset in comparable.seeds for choice in endpoint_choices(comparable, dataset)}
    other = [one for one in standings if one.choice not in endpoints]
    new = other if folder == comparable.run.root else standings
    pairs = [comparison_line(pair) for one in new for question in QUESTIONS for pair in one.comparisons[question]]
    if pairs:
        add_lines(comparisons_path(folder), ComparisonLine, pairs, CHOICE)
    if lines := [line for one in other for line in lines_of(comparable, one)]:
        add_lines(summary_path(folder), SummaryLine, lines, (*CHOICE, *PLACE))
    return comparisons_path(folder)


def _lines(
    comparable: Comparable, standings: Sequence[Standing], participants: Sequence[Participant]
) -> Iterator[SummaryLine]:
    endpoints = list(standing_lines(comparable, standings))
    healthy = list(healthy_lines(comparable))
    yield from endpoints
    yield from healthy
    yield from mean_lines(comparable, [*endpoints, *healthy])
    choices = [one.choice for one in standings]
    yield from stratum_lines(comparable, choices)
    yield from lesion_recall_lines(comparable, choices)
    yield from subgroup_lines(comparable, participants)
    yield from patient_detection_lines(comparable, participants)
    yield from shift_lines(comparable)
    if has_table(comparable.run, "timing.csv"):
        timing = run_rows(comparable.run, "timing.csv")
        yield from cost_lines(comparable, timing, endpoints, _measured_alone(comparable.run))


def _measured_alone(run: RunFolder) -> pd.DataFrame | None:
    """What `speed --run` has left, at the precision of the run's maps."""
    if not has_table(run, run.speed.name):
        return None
    rows = run_rows(run, run.speed.name)
    return rows[rows["flags"].str.split().str[0] == kept_cells(run)[0].precision]


def _record(comparable: Comparable, participants: Sequence[Participant]) -> dict[str, object]:
    """What the tables are made of: equal records mean equal tables."""
    whole = hashlib.sha256(repr((comparable.endpoint, comparable.seeds_aside, participants)).encode())
    for name in ("tables.json", "study.json"):
        path = comparable.run.root / name
        whole.update(path.read_bytes() if path.is_file() else b"")
    return {"layout": LAYOUT, "version": __version__, "digest": whole.hexdigest()}

"""summarise: every table that a report draws, made anew where rows, endpoint or program have changed."""

import hashlib
from pathlib import Path

import pandas as pd

from benchmark import __version__
from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.summaries.efficiency import EfficiencyLine, efficiency_lines
from benchmark.analysis.summaries.healthy_false_positives import AlarmLine, alarm_lines
from benchmark.analysis.summaries.shift_areas import AreaLine, area_lines
from benchmark.analysis.summaries.standings import Line, lines_of, standings_of
from benchmark.analysis.summaries.subgroups import GroupLine, Person, group_lines, people_of
from benchmark.statistics.panel import QUESTIONS
from benchmark.statistics.primary_endpoint import Endpoint, read_endpoint
from benchmark.storage.comparisons import write_comparisons
from benchmark.storage.folder import RunFolder
from benchmark.storage.rows import read_rows
from benchmark.storage.run_record import kept_cells
from benchmark.storage.tables import read_summary, table_path, write_table
from datasets.io.atomic import read_json, write_json

LAYOUT = 3
"""To be raised with what the tables hold."""


def summarise(run: RunFolder, data: Path | None, *, endpoint: Endpoint | None = None) -> bool:
    """Write a run's `summaries/`; whether they had to be made.

    Args:
        data: where the cohorts are now; None for where they were. Where they are not, who was scanned stays as known.

    Raises:
        MissingData: nothing has been scored yet.
    """
    comparable = Comparable(run, endpoint or read_endpoint())
    people = list(people_of(run, data)) or _known_people(run)
    made, record = table_path(run, "made").with_suffix(".json"), _record(comparable, people)
    if made.is_file() and read_json(made) == record:
        return False
    made.unlink(missing_ok=True)
    write_table(run, "people", Person, people)
    standings = list(standings_of(comparable))
    lines = list(lines_of(comparable, standings))
    write_table(run, "standings", Line, lines)
    write_comparisons(
        table_path(run, "comparisons"),
        [pair for one in standings for name in QUESTIONS for pair in one.comparisons[name]],
    )
    write_table(run, "alarms", AlarmLine, alarm_lines(comparable, kept_cells(run)[0].fit.healthy.dataset))
    write_table(run, "groups", GroupLine, group_lines(comparable, read_summary(run, "people", Person)))
    write_table(run, "areas", AreaLine, area_lines(comparable))
    timing = run.root / "timing.csv"
    if timing.is_file():
        costs = efficiency_lines(comparable, read_rows(timing), lines, _measured_alone(run))
        write_table(run, "efficiency", EfficiencyLine, costs)
    write_json(made, record)
    return True


def _measured_alone(run: RunFolder) -> pd.DataFrame | None:
    """What `speed --run` has left, at the precision of the run's maps."""
    if not run.speed.is_file():
        return None
    rows = read_rows(run.speed)
    return rows[rows["flags"].str.split().str[0] == kept_cells(run)[0].precision]


def _known_people(run: RunFolder) -> list[Person]:
    return [Person(*line) for line in read_summary(run, "people", Person).itertuples(index=False)]


def _record(comparable: Comparable, people: list[Person]) -> dict[str, object]:
    """What the tables are made of: equal records mean equal tables."""
    whole = hashlib.sha256(repr((comparable.endpoint, comparable.labelled_seeds, people)).encode())
    for name in ("rows.csv", "timing.csv", "study.json", "speed.csv"):
        path = comparable.run.root / name
        whole.update(path.read_bytes() if path.is_file() else b"")
    return {"layout": LAYOUT, "version": __version__, "digest": whole.hexdigest()}

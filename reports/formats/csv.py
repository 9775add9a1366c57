"""CSV format: the lines of the summary that the tables of cohorts are made of."""

from dataclasses import fields
from pathlib import Path

from benchmark.storage.summary_tables import SummaryLine
from datasets.io.tables import write_table
from reports.document import Document
from reports.model.ranking import WEIGHTS

COLUMNS = [field.name for field in fields(SummaryLine)]
COUNTS = {field.name: int for field in fields(SummaryLine) if field.type is int}


def write_csv(document: Document, path: Path) -> None:
    """Write every number of whole cohorts: each cohort's endpoints first, and their methods by rank."""
    results = document.results
    lines = results.summary.whole
    lines = lines[lines["split"] == results.split]
    cohorts = {name: place for place, name in enumerate(results.cohorts)}
    ordered = lines.assign(
        _cohort=lines["dataset"].map(cohorts),
        _further=(lines["order"] == 0).astype(int),
        _unranked=lines["rank_low"].isna() | (lines["order"] == 0),
        _weights=(lines["question"] == WEIGHTS) & (lines["order"] > 0),
        _mean=-lines["mean"].where(lines["order"] > 0),
    ).sort_values(
        ["_cohort", "_further", "order", "_unranked", "_weights", "rank_low", "rank_high", "_mean"], kind="stable"
    )
    write_table(path, COLUMNS, ordered[COLUMNS].astype(COUNTS).itertuples(index=False))

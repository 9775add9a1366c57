"""Means by site, age band and sex, and who was scanned."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import subgroup_choices
from benchmark.analysis.summaries.lines import line
from benchmark.statistics.panel import TRAINED_MODEL
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_cells
from benchmark.storage.summary_tables import SummaryLine
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from datasets.io.atomic import read_json
from datasets.io.tables import read_table

log = logging.getLogger(__name__)

ATTRIBUTES = ("site", "age_band", "sex")
AGE_BANDS = {"under 40": (0.0, 40.0), "40 to 59": (40.0, 60.0), "60 and over": (60.0, 200.0)}
"""Wide ones: an interval over a few people says nothing."""
SEXES = {"M": "male", "F": "female"}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Participant:
    """One case and whose it is; what is not known is `unknown`.

    Attributes:
        age_band: one of `AGE_BANDS`; ages themselves are not kept in a run.
    """

    dataset: str
    case_id: str
    subject_id: str
    site: str
    age_band: str
    sex: str


def participants_of(run: RunFolder, data: Path | None) -> Iterator[Participant]:
    """The cases of every cohort of the run whose table is there.

    Args:
        data: where the cohorts are now; None for where they were.
    """
    root = data or Path(read_json(run.study)["data"])
    for name in dict.fromkeys(cell.cohort.dataset for cell in kept_cells(run)):
        table = dataset(name).folder(root) / "cases.csv"
        try:
            rows = read_table(table, ("case_id", "subject_id")).usable
        except UserError as error:
            log.debug("No results by site, age and sex of %s: %s", name, error)
            continue
        for row in rows:
            yield Participant(
                name, row["case_id"], row["subject_id"], row.get("site") or UNKNOWN,
                age_band_of(row.get("age") or ""), SEXES.get(row.get("sex") or "", UNKNOWN),
            )  # fmt: skip


def subgroup_lines(comparable: Comparable, participants: Sequence[Participant]) -> Iterator[SummaryLine]:
    """Means and intervals over the people of each group; of somebody with several scans the first says the group."""
    for dataset_name in comparable.seeds:
        own: dict[str, Participant] = {}
        for one in participants:
            if one.dataset == dataset_name:
                own.setdefault(one.subject_id, one)
        for choice, cases in subgroup_choices(comparable, dataset_name) if own else ():
            found = comparable.grouped.panels(choice, comparable.all_seeds(dataset_name))
            patients = next(iter(found.values())).patients
            for attribute in ATTRIBUTES:
                groups = np.array([getattr(own[name], attribute) if name in own else UNKNOWN for name in patients])
                for group in sorted(set(groups.tolist()), key=_place):
                    for panel in found.values():
                        part = line(comparable, choice, panel.of(groups == group), cases, question=TRAINED_MODEL)
                        yield replace(part, group=f"{attribute}={group}", scans=0)


def age_band_of(years: str) -> str:
    try:
        age = float(years)
    except ValueError:
        return UNKNOWN
    return next((band for band, (low, high) in AGE_BANDS.items() if low <= age < high), UNKNOWN)


def _place(group: str) -> tuple[int, str]:
    """Ages in their order, names by the alphabet, the unknown last."""
    bands = list(AGE_BANDS)
    return (len(bands) + 1 if group == UNKNOWN else bands.index(group) if group in bands else len(bands), group)

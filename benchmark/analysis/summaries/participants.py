"""Person: what a cohort's table says of who was scanned, as far as results are given by it."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_cells
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from datasets.io.atomic import read_json
from datasets.io.case_table import read_table

log = logging.getLogger(__name__)

AGE_BANDS = {"under 40": (0.0, 40.0), "40 to 59": (40.0, 60.0), "60 and over": (60.0, 200.0)}
"""Wide ones: of a few people an interval says nothing."""
SEXES = {"M": "male", "F": "female"}
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Person:
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


def people_of(run: RunFolder, data: Path | None) -> Iterator[Person]:
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
            log.info("No results by site, age and sex of %s: %s", name, error)
            continue
        for row in rows:
            yield Person(
                name, row["case_id"], row["subject_id"], row.get("site") or UNKNOWN,
                age_band_of(row.get("age") or ""), SEXES.get(row.get("sex") or "", UNKNOWN),
            )  # fmt: skip


def age_band_of(years: str) -> str:
    try:
        age = float(years)
    except ValueError:
        return UNKNOWN
    return next((band for band, (low, high) in AGE_BANDS.items() if low <= age < high), UNKNOWN)

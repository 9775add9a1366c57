"""Results by site, age band and sex: means of the people of each group, with n."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import people_choices
from benchmark.analysis.summaries.standings import mean_of
from benchmark.statistics.panel import Choice, Panel, Question, panels
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_cells
from datasets.cohorts.catalog import dataset
from datasets.errors import UserError
from datasets.io.atomic import read_json
from datasets.io.tables import read_table

ATTRIBUTES = ("site", "age_band", "sex")
QUESTION: Question = "these weights"


@dataclass(frozen=True)
class GroupLine:
    """One method's mean over the people of one group.

    Attributes:
        attribute: `site`, `age_band` or `sex`.
        group: `unknown` for those of whom it is not known.
        n: people with a number under every seed, whose scans are averaged.
        low, high: bootstrap-t over people, seeds as they are; NaN with fewer than six.
    """

    dataset: str
    split: str
    attribute: str
    group: str
    metric: str
    postprocessing: str
    protocol: str
    method: str
    n: int
    seeds: int
    mean: float
    low: float
    high: float
    level: float


def group_lines(comparable: Comparable, people: pd.DataFrame) -> Iterator[GroupLine]:
    """Dice and AUPRC of lesion cases, the alarmed share of healthy ones.

    Args:
        people: a line a case, as `Person`; of one with several scans the first counts.
    """
    for cohort in comparable.seeds:
        own = people[people["dataset"] == cohort].drop_duplicates("subject_id").set_index("subject_id")
        for choice in people_choices(comparable, cohort) if not own.empty else ():
            found = panels(comparable.unshifted, choice, comparable.all_seeds(cohort))
            for attribute in ATTRIBUTES:
                yield from _of_attribute(comparable, choice, attribute, own[attribute], found)


def _of_attribute(
    comparable: Comparable, choice: Choice, attribute: str, groups: "pd.Series[str]", found: dict[str, Panel]
) -> Iterator[GroupLine]:
    patients = next(iter(found.values())).patients
    of_patients = np.array([groups.get(name, UNKNOWN) for name in patients])
    alpha = comparable.endpoint.alpha
    for group in sorted(set(of_patients), key=_place):
        for method, panel in found.items():
            inside = of_patients == group
            part = Panel(method, tuple(np.array(patients)[inside]), panel.seeds, panel.values[inside], panel.repeats)
            kept, mean = mean_of(part, QUESTION, alpha)
            yield GroupLine(
                choice.dataset, choice.split, attribute, group, choice.metric, choice.postprocessing, choice.protocol,
                method, mean.n, kept.shape[1], mean.mean, mean.low, mean.high, mean.level,
            )  # fmt: skip


def _place(group: str) -> tuple[int, str]:
    """Ages in their order, names by the alphabet, the unknown last."""
    bands = list(AGE_BANDS)
    return (len(bands) + 1 if group == UNKNOWN else bands.index(group) if group in bands else len(bands), group)


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
            log.debug("No results by site, age and sex of %s: %s", name, error)
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

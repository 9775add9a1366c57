"""Results by site, age band and sex: means of the people of each group, with n."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from benchmark.analysis.compare_methods import Comparable
from benchmark.analysis.endpoints import people_choices
from benchmark.analysis.summaries.participants import AGE_BANDS, UNKNOWN
from benchmark.analysis.summaries.standings import mean_of
from benchmark.statistics.panel import Choice, Panel, panels
from benchmark.statistics.question import Question

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
    for dataset in comparable.seeds:
        own = people[people["dataset"] == dataset].drop_duplicates("subject_id").set_index("subject_id")
        for choice in people_choices(comparable, dataset) if not own.empty else ():
            found = panels(comparable.unshifted, choice, comparable.all_seeds(dataset))
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

"""Family: one kind of simulated lesions, with the age and sex of the people who have them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from datasets.simulation.phantom.anatomy import TissueMaps
from datasets.simulation.phantom.lesions import Lesions

ADULTS_MEAN, ADULTS_DEVIATION = 50.0, 17.0  # years
BY_AGE = 0.8  # correlation of atrophy with age


@dataclass(frozen=True)
class LesionedBrain:
    """A brain with lesions; `anatomy` is the brain without them, displaced by those with mass."""

    anatomy: TissueMaps
    lesions: Lesions


@dataclass(frozen=True)
class Person:
    """`age` in whole years."""

    age: int
    sex: Literal["F", "M"]


@dataclass(frozen=True)
class Ages:
    """Normal distribution of age in years, cut at `youngest` and `oldest`, and the share of women."""

    mean: float
    deviation: float
    youngest: float
    oldest: float
    women: float = 0.5


@dataclass(frozen=True)
class Family:
    """A kind of lesions.

    Attributes:
        prefix: of the names of its cases.
        stream: of random numbers; different families have different people.
        ages: of its people; None if the age follows from the anatomy, which is drawn first.
        draw: draws the lesions of an anatomy; the case's index in its cohort spreads their volumes.
        regions: names of the values in `Lesions.regions`.
        cases: default number of cases.
    """

    title: str
    prefix: str
    stream: int
    ages: Callable[[int], Ages] | None
    draw: Callable[[TissueMaps, int, np.random.Generator], LesionedBrain]
    reference: str
    regions: Mapping[int, str]
    cases: int = 12


def draw_person(ages: Ages, rng: np.random.Generator) -> Person:
    age = int(np.clip(round(rng.normal(ages.mean, ages.deviation)), ages.youngest, ages.oldest))
    return Person(age, "F" if rng.random() < ages.women else "M")


def draw_atrophy(person: Person, rng: np.random.Generator) -> float:
    """Atrophy in standard deviations over adults; ventricles and sulci widen with age.

    References:
        Scahill et al. 2003, doi:10.1001/archneur.60.7.989.
    """
    older = (person.age - ADULTS_MEAN) / ADULTS_DEVIATION
    return float(np.clip(BY_AGE * older + np.sqrt(1 - BY_AGE**2) * rng.standard_normal(), -2.5, 2.5))


def person_with_atrophy(atrophy: float, rng: np.random.Generator) -> Person:
    """A healthy adult with that atrophy: the inverse of `draw_atrophy`."""
    mean = ADULTS_MEAN + ADULTS_DEVIATION * BY_AGE * atrophy
    return draw_person(Ages(mean, ADULTS_DEVIATION * np.sqrt(1 - BY_AGE**2), 18, 90), rng)

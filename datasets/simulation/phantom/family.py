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
    """A brain with lesions; `anatomy` is what it was before, displaced where they have mass."""

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
        prefix: of its cases' names.
        stream: keeps its random numbers, and so its people, apart from all other families'.
        ages: of its people; None where the anatomy is drawn first and tells the age.
        draw: the lesions of an anatomy, for the case's index in its cohort, which spreads them.
        regions: names of the values in `Lesions.regions`.
        cases: how many there are unless another number is asked for.
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
    """In standard deviations over adults; ventricles and sulci widen with age.

    References:
        Scahill et al. 2003, doi:10.1001/archneur.60.7.989.
    """
    older = (person.age - ADULTS_MEAN) / ADULTS_DEVIATION
    return float(np.clip(BY_AGE * older + np.sqrt(1 - BY_AGE**2) * rng.standard_normal(), -2.5, 2.5))


def person_with_atrophy(atrophy: float, rng: np.random.Generator) -> Person:
    """Somebody whose brain is as wide in its CSF as that: `draw_atrophy` the other way round, for healthy adults."""
    mean = ADULTS_MEAN + ADULTS_DEVIATION * BY_AGE * atrophy
    return draw_person(Ages(mean, ADULTS_DEVIATION * np.sqrt(1 - BY_AGE**2), 18, 90), rng)

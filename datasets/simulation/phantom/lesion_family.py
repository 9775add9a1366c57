"""Family: one kind of simulated lesions, with the people who have them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from datasets.simulation.phantom.anatomy import Anatomy
from datasets.simulation.phantom.family import Ages
from datasets.simulation.phantom.lesions import Lesions


@dataclass(frozen=True)
class Affected:
    """A brain with lesions; `anatomy` is what it was before, displaced where they have mass."""

    anatomy: Anatomy
    lesions: Lesions


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
    draw: Callable[[Anatomy, int, np.random.Generator], Affected]
    reference: str
    regions: Mapping[int, str]
    cases: int = 12

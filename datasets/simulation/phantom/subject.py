"""PhantomSubject: one simulated head with its lesions, determined by family, number and the cohort's seed."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.case import Split
from datasets.simulation.phantom import plain
from datasets.simulation.phantom.anatomy import TissueMaps, draw_anatomy
from datasets.simulation.phantom.family import (
    Family,
    LesionedBrain,
    Person,
    draw_atrophy,
    draw_person,
    person_with_atrophy,
)
from datasets.simulation.phantom.glioma import GLIOMA
from datasets.simulation.phantom.lattice import SamplingLattice
from datasets.simulation.phantom.lesions import Lesions, no_lesions
from datasets.simulation.phantom.ms import MS
from datasets.simulation.phantom.signals import acquire, lesion_to_white
from datasets.simulation.phantom.stroke import STROKE
from datasets.simulation.phantom.wmh import WMH

PLAIN = "plain"
FAMILIES: Mapping[str, Family] = {
    PLAIN: plain.PLAIN,
    "glioma": GLIOMA,
    "ms": MS,
    "stroke": STROKE,
    "wmh": WMH,
}


HEALTHY_SPLITS: tuple[Split, ...] = ("train", "val", "test", "train", "train", "train")
LESION_SPLITS: tuple[Split, ...] = ("val", "test")


@dataclass(frozen=True)
class SubjectNumber:
    """Identifies a subject of a cohort; `variant` is one of `FAMILIES`."""

    healthy: bool
    index: int
    variant: str = PLAIN

    @property
    def family(self) -> Family:
        return FAMILIES[self.variant]

    @property
    def case_id(self) -> str:
        return f"{'healthy' if self.healthy else self.family.prefix}-{self.index:03d}"

    @property
    def split(self) -> Split:
        """By index, so that it does not depend on other subjects."""
        splits = HEALTHY_SPLITS if self.healthy else LESION_SPLITS
        return splits[self.index % len(splits)]


@dataclass(frozen=True)
class PhantomSubject:
    """A head that can be scanned; equal seeds give equal scans, with and without lesions.

    Attributes:
        anatomy: as it is scanned.
        undisplaced: as it was before any lesion displaced it.
    """

    number: SubjectNumber
    person: Person
    anatomy: TissueMaps
    undisplaced: TissueMaps
    lesions: Lesions
    scan_seed: np.random.SeedSequence

    def scan(self) -> dict[str, NDArray[np.uint8]]:
        """One image `(X, Y, Z)` for every sequence; 0 outside the brain."""
        return acquire(self.anatomy, self.lesions.layers, self.scan_seed)

    def lesion_to_white(self) -> list[dict[str, float]]:
        """For every lesion of the table and sequence its mean signal relative to white matter."""
        return lesion_to_white(self.anatomy, self.lesions, self.scan_seed)

    def without_lesions(self) -> "PhantomSubject":
        """The same head without lesions: what a perfect reconstruction shows."""
        return replace(self, anatomy=self.undisplaced, lesions=no_lesions(self.undisplaced))


def draw_subject(number: SubjectNumber, *, spacing: float, seed: int) -> PhantomSubject:
    """The subject `number` of the cohort `seed`, on voxels of `spacing` mm."""
    family = number.family
    stream = 1 if number.healthy else family.stream
    anatomy_seed, lesion_seed, scan_seed, person_seed = np.random.SeedSequence(
        seed, spawn_key=(stream, number.index)
    ).spawn(4)
    person, atrophy = _person(number, np.random.default_rng(person_seed))
    anatomy = draw_anatomy(SamplingLattice(spacing), np.random.default_rng(anatomy_seed), atrophy=atrophy)
    if person is None:
        person = person_with_atrophy(anatomy.atrophy, np.random.default_rng(person_seed))
    affected = LesionedBrain(anatomy, no_lesions(anatomy))
    if not number.healthy:
        affected = family.draw(anatomy, number.index, np.random.default_rng(lesion_seed))
    return PhantomSubject(number, person, affected.anatomy, anatomy, affected.lesions, scan_seed)


def _person(number: SubjectNumber, rng: np.random.Generator) -> tuple[Person | None, float | None]:
    """The person and their atrophy; None, None if the anatomy is drawn first."""
    ages = number.family.ages
    if number.healthy or ages is None:
        return None, None
    person = draw_person(ages(number.index), rng)
    return person, draw_atrophy(person, rng)

"""Subject: one simulated head with its lesions, determined by its number and the cohort's seed."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from datasets.case import Split
from datasets.phantom.anatomy import Anatomy, draw_anatomy
from datasets.phantom.lattice import Lattice
from datasets.phantom.lesions import Lesions, draw_lesions, no_lesions
from datasets.phantom.signals import acquire

HEALTHY_SPLITS: tuple[Split, ...] = ("train", "val", "test", "train", "train", "train")
LESION_SPLITS: tuple[Split, ...] = ("val", "test")


@dataclass(frozen=True)
class SubjectNumber:
    """Names a subject of the cohort."""

    healthy: bool
    index: int

    @property
    def case_id(self) -> str:
        return f"{'healthy' if self.healthy else 'lesion'}-{self.index:03d}"

    @property
    def split(self) -> Split:
        """By turns, so that it depends on nobody else."""
        splits = HEALTHY_SPLITS if self.healthy else LESION_SPLITS
        return splits[self.index % len(splits)]


@dataclass(frozen=True)
class Subject:
    """A head that can be scanned; equal seeds give equal scans, with and without lesions."""

    number: SubjectNumber
    anatomy: Anatomy
    lesions: Lesions
    scan_seed: np.random.SeedSequence

    def scan(self) -> dict[str, NDArray[np.uint8]]:
        """One image `(X, Y, Z)` for every sequence; 0 outside the brain."""
        return acquire(self.anatomy, self.lesions.replaced, self.scan_seed)

    def without_lesions(self) -> "Subject":
        """The same head as if it had never had a lesion: what a perfect reconstruction shows."""
        return replace(self, lesions=no_lesions(self.anatomy))


def draw_subject(number: SubjectNumber, *, spacing: float, seed: int) -> Subject:
    """The subject `number` of the cohort `seed`, on voxels of `spacing` mm."""
    whole = np.random.SeedSequence(seed, spawn_key=(int(number.healthy), number.index))
    anatomy_seed, lesion_seed, scan_seed = whole.spawn(3)
    anatomy = draw_anatomy(Lattice(spacing), np.random.default_rng(anatomy_seed))
    if number.healthy:
        lesions = no_lesions(anatomy)
    else:
        lesions = draw_lesions(anatomy, number.index, np.random.default_rng(lesion_seed))
    return Subject(number, anatomy, lesions, scan_seed)

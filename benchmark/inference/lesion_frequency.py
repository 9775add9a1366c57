"""LesionFrequency: how often the lesions of a cohort's other patients cover each voxel, for labelled detectors."""

from collections import Counter
from collections.abc import Iterator, Sequence
from math import lcm

import numpy as np
from numpy.typing import NDArray

from datasets.case import CaseFiles
from datasets.grid import Grid
from datasets.loading import load_case


class LesionFrequency:
    """The sum of a cohort's lesion masks, from which the masks of any patient can be subtracted.

    Patients count equally: one with several scans counts with the mean of their masks. The sums are integers, so that
    subtracting a patient's scans is exact.

    Args:
        files: the cases whose lesions count; those without a lesion mask are left out, the others' scans are
            read once now, and a patient's own once more at each `of_others`.
    """

    def __init__(self, files: Sequence[CaseFiles], grid: Grid) -> None:
        self.files = [one for one in files if not one.healthy]
        self.grid = grid
        self.scans = Counter(one.subject_id for one in self.files)
        self.whole = lcm(*self.scans.values())  # what a patient counts
        self.total = self._sum(self.files)

    def of_others(self, subject_id: str) -> NDArray[np.float32]:
        """`(X, Y, Z)` in [0, 1]: the share of all patients but this one whose lesion covers a voxel; 0 without any."""
        others = len(self.scans.keys() - {subject_id})
        if not others:
            return np.zeros(self.grid.shape, dtype=np.float32)
        own = self._sum([one for one in self.files if one.subject_id == subject_id])
        return ((self.total - own) / (self.whole * others)).astype(np.float32)

    def _sum(self, files: Sequence[CaseFiles]) -> NDArray[np.int64]:
        total = np.zeros(self.grid.shape, dtype=np.int64)
        for one, mask in _lesion_masks(files, self.grid):
            total += self.whole // self.scans[one.subject_id] * mask
        return total


def _lesion_masks(files: Sequence[CaseFiles], grid: Grid) -> Iterator[tuple[CaseFiles, NDArray[np.bool_]]]:
    for one in files:
        mask = load_case(one, grid).lesion_mask
        if mask is not None:
            yield one, mask

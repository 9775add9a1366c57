"""Landmarks of real cohorts: what scans are matched onto, or transferred to."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.case import CaseFiles
from datasets.cohorts.catalog import dataset
from datasets.grid import Grid, load_case
from datasets.shifts.histogram import mean_landmarks, percentiles_of


def measured(files: Sequence[CaseFiles], grid: Grid) -> Mapping[str, NDArray[np.float64]]:
    """Each case's percentiles over the brain, unshifted on `grid`; by case id."""

    def one(case_files: CaseFiles) -> NDArray[np.float64]:
        case = load_case(case_files, grid)
        return percentiles_of(case.image[0], case.brain_mask)

    with ThreadPoolExecutor() as readers:
        return dict(zip([one.case_id for one in files], readers.map(one, files), strict=True))


def to_be_learnt_from(files: Sequence[CaseFiles]) -> list[CaseFiles]:
    """The scans that a cohort's landmarks may be taken from: not its test scans, unless it has no others.

    Only images and brain masks are looked at, never a lesion mask.
    """
    return [one for one in files if one.split != "test"] or list(files)


def landmarks_of(cohort: str, data: Path, sequence: str, grid: Grid) -> tuple[float, ...]:
    """The mean percentiles of a cohort, for a histogram to be transferred to.

    Raises:
        UserError: the cohort is not there, or a scan of it cannot be used.
    """
    files = to_be_learnt_from(dataset(cohort).files(data, sequence))
    return mean_landmarks(list(measured(files, grid).values()))

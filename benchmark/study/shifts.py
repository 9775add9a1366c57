"""Which shifts the cells of a study are crossed with, landmarks and all."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from datasets.case import CaseFiles
from datasets.grid import Grid
from datasets.shift_requests import AskedShift
from datasets.shifts import Shift
from datasets.shifts.histogram import mean_landmarks
from datasets.splits import learning_split


def training_cases(files: Sequence[CaseFiles], seed: int, folds: int) -> list[CaseFiles]:
    """What a fit of this seed learns from; `folds` as of a Fit."""
    return [one for one in learning_split(files, seed=seed, folds=folds) if one.split == "train" and one.healthy]


def planned_shifts(
    asked: Sequence[AskedShift],
    training: Mapping[int, Sequence[CaseFiles]],
    grid: Grid,
    data: Path,
    sequence: str,
    *,
    match: bool,
) -> dict[int, list[Shift]]:
    """For each training seed its shifts: none first, then those asked for; with `match` all again, matched.

    Scans are read only where landmarks are needed: those of the cohorts that a shift leads to, and those that
    fits learn from.

    Args:
        training: each seed's training cases, onto whose mean percentiles histograms are matched.

    Raises:
        UserError: a cohort is not there, or a scan of it cannot be used.
    """
    from datasets.shift_landmarks import landmarks_of, measured

    cohorts = dict.fromkeys(one.cohort for one in asked if one.cohort)
    landmarks = {cohort: landmarks_of(cohort, data, sequence, grid) for cohort in cohorts}
    matched: dict[int, tuple[float, ...]] = {}
    if match:
        cases = {one.case_id: one for group in training.values() for one in group}
        known = measured(list(cases.values()), grid)
        matched = {seed: mean_landmarks([known[one.case_id] for one in group]) for seed, group in training.items()}
    return {seed: _arms(asked, landmarks, matched.get(seed, ())) for seed in training}


def _arms(
    asked: Sequence[AskedShift], landmarks: Mapping[str, tuple[float, ...]], matched: tuple[float, ...]
) -> list[Shift]:
    arms = [(), matched] if matched else [()]
    none = [Shift(matched=arm) for arm in arms]
    return none + [one.shift(landmarks.get(one.cohort, ()), arm) for arm in arms for one in asked]

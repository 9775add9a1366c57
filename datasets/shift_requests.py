"""parse_shifts: from what a user writes to kinds and levels; nothing unknown or impossible gets through."""

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.case import CaseFiles
from datasets.cohorts.catalog import dataset
from datasets.errors import BadValue, UnknownName
from datasets.grid import Grid, load_case
from datasets.shifts import Shift
from datasets.shifts.registry import NONE, kind, names, origin
from datasets.shifts.representation import mean_landmarks, percentiles_of
from datasets.shifts.shift import ShiftKind

ONE = re.compile(r"(?P<name>[^\[\]=]+?)(?:\[(?P<cohort>[^\[\]=]*)\])?(?:=(?P<level>[^=]*))?")


@dataclass(frozen=True)
class AskedShift:
    """A kind at one level, and the cohort that it leads to ("" where it leads to none)."""

    kind: ShiftKind
    level: float
    cohort: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind.name}[{self.cohort}]" if self.cohort else self.kind.name

    def shift(self, landmarks: tuple[float, ...] = (), matched: tuple[float, ...] = ()) -> Shift:
        """With the landmarks of the cohort, and those that the image is matched onto afterwards."""
        return Shift(self.name, self.level, landmarks, matched, origin(self.kind.name))


def parse_shifts(text: str) -> list[AskedShift]:
    """`"gamma,bias=0.3,transfer[oasis]"`: a name alone stands for its five levels, `name=level` for that one.

    `none` may be named and adds nothing: the unshifted cells are always there.

    Raises:
        UnknownName: no shift, or no cohort to go to, is called so.
        BadValue: anything else that cannot be read, or a level that is not possible.
    """
    found: dict[tuple[str, float], AskedShift] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part != NONE:
            found |= {(one.name, one.level): one for one in _parsed(part)}
    return list(found.values())


def _parsed(part: str) -> list[AskedShift]:
    match = ONE.fullmatch(part)
    if match is None:
        raise BadValue(f"--shifts: got '{part}', wanted a name, name=level or name[COHORT]=level.")
    asked = _kind(match["name"].strip())
    cohort = _cohort(asked, part, match["cohort"])
    levels = asked.levels if match["level"] is None else (_level(asked, part, match["level"]),)
    return [AskedShift(asked, level, cohort) for level in levels]


def _kind(name: str) -> ShiftKind:
    if name not in names():
        raise UnknownName("shift", name, [NONE, *names()])
    return kind(name)


def _cohort(asked: ShiftKind, part: str, given: str | None) -> str:
    if asked.to_cohort and not given:
        raise BadValue(f"--shifts: got '{part}', wanted the cohort to go to: {asked.name}[COHORT].")
    if given is not None and not asked.to_cohort:
        raise BadValue(f"--shifts: got '{part}', wanted no cohort: {asked.name} or {asked.name}=level.")
    return dataset(given.strip()).name if given else ""


def _level(asked: ShiftKind, part: str, text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = float("nan")
    if not isfinite(level) or not asked.lowest <= level <= asked.highest:
        highest = f" to {asked.highest:g}" if isfinite(asked.highest) else " up"
        raise BadValue(
            f"--shifts: got '{part}', wanted a level from {asked.lowest:g}{highest} ({asked.unit}; "
            f"{asked.identity:g} changes nothing)."
        )
    return level


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

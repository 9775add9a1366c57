"""Shifts as a command line asks for them: names to kinds and levels, and the landmarks of the cohorts they lead to."""

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
from datasets.errors import BadValue, need
from datasets.grid import Grid
from datasets.loading import load_case
from datasets.shifts import Shift
from datasets.shifts.registry import NONE, SHIFTS
from datasets.shifts.representation import mean_landmarks, percentiles_of
from datasets.shifts.shift import ShiftKind

REQUEST = re.compile(r"(?P<name>[^\[\]=]+?)(?:\[(?P<cohort>[^\[\]=]*)\])?(?:=(?P<level>[^=]*))?")


@dataclass(frozen=True)
class ShiftRequest:
    """A kind of shift at one level, and the cohort that it leads to ("" where it leads to none)."""

    kind: ShiftKind
    level: float
    cohort: str = ""

    @property
    def name(self) -> str:
        return f"{self.kind.name}[{self.cohort}]" if self.cohort else self.kind.name

    def shift(self, landmarks: tuple[float, ...] = (), matched: tuple[float, ...] = ()) -> Shift:
        """The shift itself.

        Args:
            landmarks: percentiles of the cohort that it leads to.
            matched: percentiles that the image is matched onto afterwards.
        """
        return Shift(self.name, self.level, landmarks, matched, SHIFTS.origin(self.kind.name))


def parse_shifts(text: str) -> list[ShiftRequest]:
    """Parse `"gamma,bias=0.3,transfer[oasis]"`: a name alone stands for its five levels, `name=level` for that one.

    `none` is accepted and adds nothing: unshifted cells are always there.

    Raises:
        UnknownName: no shift, or no cohort to lead to, has that name.
        BadValue: the text is malformed otherwise, or a level is out of range.
        MissingPackage: a shift needs an extra that is not installed.
    """
    found: dict[tuple[str, float], ShiftRequest] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        if part != NONE:
            found |= {(one.name, one.level): one for one in _parse_one(part)}
    return list(found.values())


def landmarks_of(cohort: str, data: Path, sequence: str, grid: Grid) -> tuple[float, ...]:
    """The mean percentiles of a cohort, onto which a histogram is transferred.

    Raises:
        UserError: the cohort is not there, or one of its scans cannot be used.
    """
    files = reference_cases(dataset(cohort).files(data, sequence))
    return mean_landmarks(list(case_percentiles(files, grid).values()))


def reference_cases(files: Sequence[CaseFiles]) -> list[CaseFiles]:
    """The scans that a cohort's landmarks may be taken from: not its test scans, unless it has no others.

    Only images and brain masks are read, never a lesion mask.
    """
    return [one for one in files if one.split != "test"] or list(files)


def case_percentiles(files: Sequence[CaseFiles], grid: Grid) -> Mapping[Path, NDArray[np.float64]]:
    """Percentiles over the brain of each unshifted case on `grid`, sequence after sequence.

    By the path of its brain mask, since ids may stand in two cohorts.
    """

    def percentiles(one: CaseFiles) -> NDArray[np.float64]:
        case = load_case(one, grid)
        return np.concatenate([percentiles_of(image, case.brain_mask) for image in case.image])

    with ThreadPoolExecutor() as readers:
        return dict(zip([one.brain_mask for one in files], readers.map(percentiles, files), strict=True))


def _parse_one(part: str) -> list[ShiftRequest]:
    match = REQUEST.fullmatch(part)
    if match is None:
        raise BadValue(f"--shifts: got '{part}', expected a name, name=level or name[COHORT]=level.")
    found = SHIFTS[match["name"].strip()]
    if found.module:
        need(found.module, f"The shift {found.name}")
    cohort = _cohort(found, part, match["cohort"])
    levels = found.levels if match["level"] is None else (_level(found, part, match["level"]),)
    return [ShiftRequest(found, level, cohort) for level in levels]


def _cohort(found: ShiftKind, part: str, given: str | None) -> str:
    if found.to_cohort and not given:
        raise BadValue(f"--shifts: got '{part}', expected the cohort to go to: {found.name}[COHORT].")
    if given is not None and not found.to_cohort:
        raise BadValue(f"--shifts: got '{part}', expected no cohort: {found.name} or {found.name}=level.")
    return dataset(given.strip()).name if given else ""


def _level(found: ShiftKind, part: str, text: str) -> float:
    try:
        level = float(text)
    except ValueError:
        level = float("nan")
    if not isfinite(level) or not found.lowest <= level <= found.highest:
        highest = f" to {found.highest:g}" if isfinite(found.highest) else " up"
        raise BadValue(
            f"--shifts: got '{part}', expected a level from {found.lowest:g}{highest} ({found.unit}; "
            f"{found.identity:g} changes nothing)."
        )
    return level

"""parse_shifts: from what a user writes to kinds and levels; nothing unknown or impossible gets through."""

import re
from dataclasses import dataclass
from math import isfinite

from datasets.cohorts.catalog import dataset
from datasets.errors import BadValue, UnknownName
from datasets.shifts import Shift
from datasets.shifts.kind import ShiftKind
from datasets.shifts.registry import NONE, kind, names, origin

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

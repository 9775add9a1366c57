"""Subject: a person as a split sees them, whatever number of scans there is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from datasets.errors import BadFile

OLDEST_BAND = 80


@dataclass(frozen=True)
class Subject:
    """What a split may look at.

    Attributes:
        age_band: decade of life such as `20-29`, `<20` or `80+`; "" where the age is unknown.
        healthy: None where nobody says.
    """

    subject_id: str
    site: str = ""
    age_band: str = ""
    healthy: bool | None = None


class _Scan(Protocol):
    @property
    def subject_id(self) -> str: ...
    @property
    def site(self) -> str: ...


def subjects_of(scans: Iterable[_Scan]) -> list[Subject]:
    """The people of some scans, in the order of their first one.

    A scan is whatever has a `subject_id` and a `site`, such as RawCase and CaseFiles; its `age` and
    `lesion_mask` are looked at where it has them. A person with any lesion is not healthy; the site
    and the age are those of the first scan that tells them.
    """
    found: dict[str, Subject] = {}
    for scan in scans:
        seen = found.get(scan.subject_id, Subject(scan.subject_id))
        found[scan.subject_id] = Subject(
            scan.subject_id,
            seen.site or scan.site,
            seen.age_band or age_band(getattr(scan, "age", None)),
            seen.healthy is not False and getattr(scan, "lesion_mask", None) is None,
        )
    return list(found.values())


def age_band(age: float | None) -> str:
    """The decade of an age in years; "" where it is unknown."""
    if age is None or age != age:
        return ""
    if age < 0 or age > 120:
        raise BadFile(f"age: got {age:g}, wanted years between 0 and 120.")
    low = int(age // 10) * 10
    return "<20" if low < 20 else f"{OLDEST_BAND}+" if low >= OLDEST_BAND else f"{low}-{low + 9}"

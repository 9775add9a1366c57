"""Subject: a person, with however many scans, as splits see them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from datasets.errors import BadFile

OLDEST_BAND = 80


@dataclass(frozen=True)
class Subject:
    """What a split may depend on.

    Attributes:
        age_band: decade of life such as `20-29`, `<20` or `80+`; "" where the age is unknown.
        healthy: None where unknown.
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
    """The people of some scans, in the order of their first scan.

    A scan is anything with a `subject_id` and a `site`, such as RawCase and CaseFiles; `age` and `lesion_mask` are
    used if it has them. A person with any lesion is not healthy; site and age are those of the first scan that has
    them.
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
        raise BadFile(f"age: got {age:g}, expected years between 0 and 120.")
    low = int(age // 10) * 10
    return "<20" if low < 20 else f"{OLDEST_BAND}+" if low >= OLDEST_BAND else f"{low}-{low + 9}"

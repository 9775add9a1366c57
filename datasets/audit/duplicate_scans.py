"""Scans that are there twice: the same voxels, or another image of the same brain."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from datasets.audit.duplicates import Signature, alike
from datasets.audit.finding import Finding, Flag, Severity


@dataclass(frozen=True)
class Scan:
    """One image, as far as it is compared with others.

    Attributes:
        content: hash of its voxels.
        signature: None where likeness means nothing, as among simulated brains of one anatomy.
    """

    cohort: str
    case_id: str
    subject_id: str
    split: str
    sequence: str
    content: str
    signature: Signature | None


def duplicate_findings(scans: Sequence[Scan]) -> list[Finding]:
    """Pairs with equal voxels, and pairs that show one brain."""
    found = [_finding(one, other, None) for one, other in _equal_pairs(scans)]
    for sequence in sorted({scan.sequence for scan in scans}):
        group = [scan for scan in scans if scan.sequence == sequence and scan.signature is not None]
        signatures = [scan.signature for scan in group if scan.signature is not None]
        found += [
            _finding(group[one], group[other], likeness)
            for one, other, likeness in alike(signatures)
            if group[one].content != group[other].content
        ]
    return found


def _equal_pairs(scans: Sequence[Scan]) -> Iterator[tuple[Scan, Scan]]:
    """Each scan of a group with the first of the group, so that n copies are n - 1 pairs."""
    groups = defaultdict(list)
    for scan in scans:
        groups[scan.content].append(scan)
    for first, *others in groups.values():
        # The first of each split stands for it: a copy in another split is never hidden by one in its own.
        leads = {first.split: first}
        for other in others:
            crossing = next((lead for split, lead in leads.items() if split != other.split), None)
            yield (crossing or leads.get(other.split, first)), other
            leads.setdefault(other.split, other)


def _finding(one: Scan, other: Scan, likeness: float | None) -> Finding:
    code = "duplicate-scan" if likeness is None else "near-duplicate-scan"
    severity = _severity(one, other, exact=likeness is None)
    alike_by = "equal voxels" if likeness is None else f"one brain (likeness {likeness:.2f})"
    got = f"{alike_by} in {_place(one, other)} and {_place(other, one)}"
    cohort = one.cohort if one.cohort == other.cohort else f"{one.cohort} and {other.cohort}"
    flag: Flag = "" if severity != "error" else "partial" if _of_one_case(one, other) else "leak"
    cases = tuple(dict.fromkeys((one.case_id, other.case_id)))
    return Finding(severity, code, cohort, cases, got, _wanted(one, other), flag=flag)


def _severity(one: Scan, other: Scan, *, exact: bool) -> Severity:
    """A copy across splits is a leak; the scans of one subject within a split are what they are called."""
    if one.split != other.split or _of_one_case(one, other):
        return "error"
    if one.subject_id == other.subject_id:
        return "note"
    return "error" if exact and one.cohort == other.cohort else "warning"


def _of_one_case(one: Scan, other: Scan) -> bool:
    """Whether a sequence's file holds what another sequence's does."""
    return (one.cohort, one.case_id) == (other.cohort, other.case_id)


def _wanted(one: Scan, other: Scan) -> str:
    if _of_one_case(one, other):
        return "another image for each sequence"
    return "scans of two people" if one.subject_id != other.subject_id else "the scans of a person in one split"


def _place(scan: Scan, beside: Scan) -> str:
    parts = [scan.cohort] if scan.cohort != beside.cohort else []
    parts += [scan.split, scan.sequence] if scan.sequence != beside.sequence else [scan.split]
    return f"{scan.case_id} ({' '.join(parts)})"

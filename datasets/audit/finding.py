"""Finding: one result of an audit, and what it means for a study."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from datasets.errors import BadVolume, UserError

Severity = Literal["error", "warning", "note"]
Flag = Literal["", "leak", "partial"]
NAMED = 4  # cases in one line
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """A defect or peculiarity of a cohort.

    Attributes:
        code: the kind, e.g. `subject-in-two-splits`.
        cases: those concerned; empty if it concerns the whole cohort.
        got, expected: clauses without a full stop.
        file: its path; "" if it concerns no single file.
        flag: the word that rows carry if a study continues in spite of it; "" unless it is an error.
    """

    severity: Severity
    code: str
    cohort: str
    cases: tuple[str, ...]
    got: str
    expected: str
    file: str = ""
    flag: Flag = ""

    def __str__(self) -> str:
        """One line."""
        named = ", ".join(self.cases[:NAMED]) + (f" and {len(self.cases) - NAMED} more" * (len(self.cases) > NAMED))
        whose = self.file or (f"{self.cohort} ({named})" if named else self.cohort)
        return f"{whose}: got {self.got}, expected {self.expected} [{self.code}]."


def unreadable_file(cohort: str, case_id: str, file: str, error: UserError) -> Finding:
    """The finding for a file that cannot be read; the error says why."""
    if isinstance(error, BadVolume):
        return Finding("error", error.code, cohort, (case_id,), error.got, error.expected, file, "partial")
    got = str(error).rstrip(".").replace("\n", "; ")
    return Finding("error", "missing-file", cohort, (case_id,), got, "a file", file, "partial")


def errors_of(findings: Iterable[Finding]) -> list[Finding]:
    return [one for one in findings if one.severity == "error"]


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by kind and cohort; equal findings once."""
    return sorted(
        dict.fromkeys(findings), key=lambda one: (SEVERITIES.index(one.severity), one.code, one.cohort, one.cases)
    )

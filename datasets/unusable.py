"""Errors about some cases of a cohort, which carry the cases that nothing is said against."""

from collections.abc import Sequence
from dataclasses import dataclass

from datasets.case import CaseFiles
from datasets.errors import BadFile, MissingData


@dataclass(frozen=True)
class CaseProblem:
    """Why a case cannot be used.

    Attributes:
        code: the kind of defect, as the audit names it.
        case_id: "" for a row that has none.
        text: the whole sentence.
    """

    code: str
    case_id: str
    text: str


class BadCases(BadFile):
    """Some cases of a cohort cannot be used; a line each."""

    def __init__(self, problems: Sequence[CaseProblem], usable: Sequence[CaseFiles]) -> None:
        super().__init__("\n".join(one.text for one in problems))
        self.problems, self.usable = tuple(problems), tuple(usable)


class MissingCases(MissingData):
    """Files of some cases are not there, and nothing else is wrong; a line each."""

    def __init__(self, problems: Sequence[CaseProblem], usable: Sequence[CaseFiles]) -> None:
        super().__init__("\n".join(one.text for one in problems))
        self.problems, self.usable = tuple(problems), tuple(usable)


def refusal(problems: Sequence[CaseProblem], usable: Sequence[CaseFiles]) -> BadCases | MissingCases:
    """The error to raise for them."""
    kind = MissingCases if all(one.code == "missing-file" for one in problems) else BadCases
    return kind(problems, usable)

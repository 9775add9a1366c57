"""Errors a user can fix: each is one line that says what was got, what was expected and what there is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path

from datasets.case import CaseFiles

EXTRAS = {
    "SimpleITK": "prepare",
    "torchio": "shifts",
    "pynvml": "gpu",
    "distributed": "dask",
    "cryptography": "federation",
    "python_calamine": "spreadsheets",
}
"""Modules that one feature needs, by the extra that installs them."""


class UserError(Exception):
    """A mistake that the user can fix; printed as one line, without a traceback."""


class UnknownName(UserError, LookupError):
    """A name under which nothing is registered.

    Attributes:
        name: as it was asked for.
    """

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        self.name = name
        known = sorted(available)
        close = get_close_matches(name.lower(), known, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        super().__init__(f"No {kind} '{name}'.{hint} Available: {', '.join(known) or 'none'}.")

    @classmethod
    def saying(cls, message: str, name: str) -> "UnknownName":
        """One whose message is known."""
        error = cls("", name, ())
        error.args = (message,)
        return error


def check_name(kind: str, name: str, known: Iterable[str]) -> None:
    """Raise UnknownName unless the name is known."""
    names = list(known)
    if name not in names:
        raise UnknownName(kind, name, names)


class BadValue(UserError, ValueError):
    """A value outside what is allowed."""


class BadFile(UserError, ValueError):
    """A file that exists but cannot be used."""


class BadVolume(BadFile):
    """A volume that cannot be used.

    Attributes:
        code: the kind of defect, e.g. `unreadable-file`.
    """

    def __init__(self, path: Path, code: str, got: str, expected: str) -> None:
        super().__init__(f"{path}: got {got}, expected {expected}.")
        self.path, self.code, self.got, self.expected = path, code, got, expected


class MissingData(UserError, FileNotFoundError):
    """A cohort, sequence or file that is not where it was looked for."""


class MissingPackage(UserError, ImportError):
    """An optional package that is not installed."""


def need(module: str, what: str) -> None:
    """Raise MissingPackage unless a module of `EXTRAS` can be imported.

    Args:
        what: needs it.
    """
    if find_spec(module) is None:
        raise MissingPackage(f"{what} needs {module}, which is not installed: {install(module)}.")


def install(module: str) -> str:
    """The command that installs a module of `EXTRAS`."""
    return f"python -m pip install 'uadbench[{EXTRAS[module]}]'"


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
    """Some cases of a cohort cannot be used; one line each. Carries the cases that can be used."""

    def __init__(self, problems: Sequence[CaseProblem], usable: Sequence[CaseFiles]) -> None:
        super().__init__("\n".join(one.text for one in problems))
        self.problems, self.usable = tuple(problems), tuple(usable)


class MissingCases(MissingData):
    """Files of some cases are missing, and nothing else is wrong; one line each. Carries the cases that can be used."""

    def __init__(self, problems: Sequence[CaseProblem], usable: Sequence[CaseFiles]) -> None:
        super().__init__("\n".join(one.text for one in problems))
        self.problems, self.usable = tuple(problems), tuple(usable)


def refusal(problems: Sequence[CaseProblem], usable: Sequence[CaseFiles]) -> BadCases | MissingCases:
    """The error to raise for these problems."""
    kind = MissingCases if all(one.code == "missing-file" for one in problems) else BadCases
    return kind(problems, usable)


class Missing:
    """What several searches do not find, so that all of it is told at once.

    Each search stands in a `with` of its own, which swallows its UserError; `tell` stands after the last.
    """

    def __init__(self) -> None:
        self.errors: list[UserError] = []

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, UserError):
            self.errors.append(error)
        return isinstance(error, UserError)

    def tell(self) -> None:
        """Raise what was met, if anything was.

        Raises:
            UserError: the only error; of several a MissingData, or a BadFile if one is of something that is there.
        """
        if len(self.errors) == 1:
            raise self.errors[0]
        if self.errors:
            kind = MissingData if all(isinstance(one, MissingData) for one in self.errors) else BadFile
            raise kind("\n".join(dict.fromkeys(map(str, self.errors))))


def one_line(error: BaseException) -> str:
    """An exception of foreign code as part of a line, e.g. `KeyError: 'size'`."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}".rstrip(": ").rstrip(".")

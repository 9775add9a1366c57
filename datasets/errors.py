"""The user's mistakes: each is one line that says what was got, what was wanted and what there is."""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


class UserError(Exception):
    """A mistake that the user can mend; printed as one line, without a traceback."""


class UnknownName(UserError, LookupError):
    """A name that nothing is registered under."""

    def __init__(self, kind: str, name: str, available: Iterable[str]) -> None:
        known = sorted(available)
        close = get_close_matches(name.lower(), known, n=1)
        hint = f" Did you mean '{close[0]}'?" if close else ""
        super().__init__(f"No {kind} '{name}'.{hint} Available: {', '.join(known) or 'none'}.")


class BadValue(UserError, ValueError):
    """A value outside what is allowed."""


class BadFile(UserError, ValueError):
    """A file that is there but cannot be used."""


class BadVolume(BadFile):
    """A volume that cannot be used.

    Attributes:
        code: the kind of defect, e.g. `unreadable-file`.
    """

    def __init__(self, path: Path, code: str, got: str, wanted: str) -> None:
        super().__init__(f"{path}: got {got}, wanted {wanted}.")
        self.path, self.code, self.got, self.wanted = path, code, got, wanted


class MissingData(UserError, FileNotFoundError):
    """A cohort, sequence or file that is not where it was looked for."""

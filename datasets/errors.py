"""The user's mistakes: each is one line that says what was got, what was wanted and what there is."""

from collections.abc import Iterable
from difflib import get_close_matches


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


class MissingData(UserError, FileNotFoundError):
    """A cohort, sequence or file that is not where it was looked for."""

"""Shift: a named change of a case's appearance at a named severity."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shift:
    """`none` is the identity."""

    name: str = "none"
    severity: float = 0.0

"""Card: what a reader has to know of a method before trusting its row."""

from dataclasses import dataclass
from typing import Literal

Supervision = Literal["none", "healthy scans", "lesion labels"]


@dataclass(frozen=True)
class Card:
    """A method's data card. What it was fitted on in a study is recorded with each fit.

    Attributes:
        supervision: the most that its map has seen: nothing at all, healthy scans, or lesion labels.
        trained_on: what `fit` learns, and from what.
        tuned_on: where its default hyper-parameters come from, and which labels chose them.
        references: papers, with the numbers of the equations that the code follows.
        departures: where it differs from them, and which field brings the published form back.
    """

    supervision: Supervision
    trained_on: str
    tuned_on: str
    references: tuple[str, ...] = ()
    departures: tuple[str, ...] = ()

"""Card: a method's data card, which says what a reader has to know before trusting its row."""

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
        simple_baseline: a method that any other should beat; reports mark it and compare the others with it.
        covariates: what it is handed of a case beside the image, among `datasets.case.COVARIATES`: age, sex, spacing.
        transductive: whether a case's map depends on the other cases that are mapped with it: it is handed all of a
            split at once, and ranked with no method that sees one scan at a time.
        several_sequences: how one map is made of several sequences; "" for a method that takes one, which is refused in
            a study of several.
        printed_name: as papers write it, such as DDPM; "" for the name by which it is asked for.

    Examples:
        >>> card = Card(supervision="healthy scans", trained_on="Mean of healthy brains.", tuned_on="Nothing.")
        >>> card.simple_baseline
        False
    """

    supervision: Supervision
    trained_on: str
    tuned_on: str
    references: tuple[str, ...] = ()
    departures: tuple[str, ...] = ()
    simple_baseline: bool = False
    covariates: tuple[str, ...] = ()
    transductive: bool = False
    several_sequences: str = ""
    printed_name: str = ""


def card_of(method: object) -> Card | None:
    """The card of a detector or its class; None for a plugin without one."""
    card = getattr(method, "card", None)
    return card if isinstance(card, Card) else None


def covariates_of(method: object) -> tuple[str, ...]:
    """The covariates that the card of a detector or its class declares."""
    card = card_of(method)
    return () if card is None else card.covariates

"""Shift: what is done to the look of every case of a cell, whole, so that it can be a part of a key."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shift:
    """A kind of change at one level; the default is none, which is the identity bit for bit.

    Attributes:
        name: of the kind, with the cohort that it leads to where there is one: `gamma`, `transfer[oasis]`.
        severity: the level in the kind's own unit.
        landmarks: percentiles of the cohort that a histogram is transferred to; empty for other kinds.
        matched: percentiles that the image's own are moved onto after everything else, before a detector
            sees it; empty for an image that is left as it is.
        origin: a plugin's distribution and version; "" for a built-in kind.
    """

    name: str = "none"
    severity: float = 0.0
    landmarks: tuple[float, ...] = ()
    matched: tuple[float, ...] = ()
    origin: str = ""

    @property
    def label(self) -> str:
        """The name in tables, which says whether the histogram is matched."""
        return f"{self.name}+match" if self.matched else self.name

    @property
    def text(self) -> str:
        """Kind, level and arm, as a user would write it: `gamma=0.5`, `gamma=0.5+match`, `none+match`, `none`."""
        level = "" if self.name == "none" else f"={self.severity:g}"
        return f"{self.name}{level}{'+match' if self.matched else ''}"

    @property
    def is_none(self) -> bool:
        """Whether nothing at all is done."""
        return self.name == "none" and not self.matched

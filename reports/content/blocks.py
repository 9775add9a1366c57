"""Blocks: what follows each other in a report, from headings to pictures."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reports.content.table import Table
from reports.content.text import Text


@dataclass(frozen=True)
class Heading:
    text: Text | str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    text: Text | str


@dataclass(frozen=True)
class Notice:
    """What qualifies everything that follows."""

    text: Text | str


@dataclass(frozen=True)
class Bullets:
    items: Sequence[Text | str]


@dataclass(frozen=True)
class Listing:
    """Lines of a program or a configuration, as they are."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Picture:
    """A file in the run's `figures/`.

    Attributes:
        alt: what it shows, for whoever cannot see it.
        caption: below it; "" for none.
    """

    path: Path
    alt: str
    caption: Text | str = ""


@dataclass(frozen=True)
class Explorer:
    """Numbers to be chosen from where a format can run a script; elsewhere the blocks that stand for it.

    Attributes:
        content: what the script reads, of JSON's kinds.
    """

    content: dict[str, Any]
    fallback: Sequence["Block"] = ()


@dataclass(frozen=True)
class Beside:
    """Blocks next to each other where there is room."""

    blocks: Sequence["Block"] = ()


@dataclass(frozen=True)
class Panels:
    """Parts of which a reader sees one at a time where scripts run; else below each other, each under its heading.

    Attributes:
        parts: titles with blocks.
        kinds: names of methods by what they have in common, whose rows and marks a reader may hide.
    """

    parts: Sequence[tuple[Text | str, Sequence["Block"]]]
    kinds: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def blocks(self) -> list["Block"]:
        return [block for title, blocks in self.parts for block in (Heading(title), *blocks)]


@dataclass(frozen=True)
class Folded:
    """Blocks that a reader unfolds; whole in print.

    Attributes:
        level: of the heading that the summary stands for.
    """

    summary: Text | str
    blocks: Sequence["Block"] = ()
    level: int = 4


Block = Heading | Paragraph | Notice | Bullets | Listing | Picture | Explorer | Beside | Panels | Folded | Table


def tables_of(blocks: Iterable[Block]) -> Iterator[Table]:
    """The tables that have any row, folded ones too, in reading order."""
    for block in blocks:
        if isinstance(block, Table) and block:
            yield block
        elif isinstance(block, Folded | Beside | Panels):
            yield from tables_of(block.blocks)
        elif isinstance(block, Explorer):
            yield from tables_of(block.fallback)

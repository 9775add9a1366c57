"""Text: characters with a style, made from templates whose values are never read as markup."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

Style = Literal["", "code", "strong", "emphasis"]
STYLES: dict[str, Style] = {"**": "strong", "*": "emphasis", "`": "code"}


@dataclass(frozen=True)
class Span:
    """Characters of one style, exactly as a reader shall see them.

    Attributes:
        link: an address, or a path beside the report; "" for none.
    """

    text: str
    style: Style = ""
    link: str = ""


@dataclass(frozen=True)
class Text:
    """Spans in a row; `str` gives what a reader sees of them."""

    spans: tuple[Span, ...] = ()

    def __str__(self) -> str:
        return "".join(span.text for span in self.spans)

    def __bool__(self) -> bool:
        return bool(str(self))

    def __add__(self, other: "Text | str") -> "Text":
        return Text((*self.spans, *as_text(other).spans))


EMPTY = Text()


def as_text(value: object) -> Text:
    """Text as it is; anything else as the characters it prints."""
    return value if isinstance(value, Text) else Text((Span(str(value)),))


def prose(template: str, *values: object) -> Text:
    """Text of a template written in this program: `**strong**`, `*emphasis*`, a code span, and `{}` for a value.

    A value is shown as it is, in the style around its braces, which may hold a format such as `{:.3f}`; a value that is
    `Text` keeps its own. Names and anything else that comes from outside has to be a value.
    """
    given = iter(values)
    spans: list[Span] = []
    style: Style = ""
    for part in re.split(r"(\*\*|\*|`|\{(?::[^}]*)?\})", template):
        if part in STYLES:
            style = "" if style else STYLES[part]
        elif part.startswith("{"):
            value = next(given)
            shown = value if isinstance(value, Text) else as_text(format(value, part[2:-1]) if part != "{}" else value)
            spans += [replace(span, style=span.style or style) for span in shown.spans]
        elif part:
            spans.append(Span(part, style))
    return Text(_merged(spans))


def joined(parts: Iterable["Text | str"], between: str = " ") -> Text:
    """One text of those parts that say anything."""
    said = [as_text(part) for part in parts if part]
    spans = [span for part in said for span in (Span(between), *part.spans)]
    return Text(_merged(spans[1:]))


def _merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Neighbours of one style as one span."""
    made: list[Span] = []
    for span in spans:
        if made and (made[-1].style, made[-1].link) == (span.style, span.link):
            made[-1] = replace(span, text=made[-1].text + span.text)
        else:
            made.append(span)
    return tuple(made)


def code(value: object) -> Text:
    return Text((Span(str(value), "code"),))


def strong(value: object) -> Text:
    return prose("**{}**", value)


def link(text: object, address: str) -> Text:
    return Text(tuple(replace(span, link=address) for span in as_text(text).spans))


ADDRESS = re.compile(r"https?://[^\s,;)]+|\b10\.\d{4,9}/[^\s,;)]+")


def linked(text: str) -> Text:
    """Text in which addresses and DOIs are links.

    Example:
        >>> [span.link for span in linked("Doe 2020, doi 10.1000/182").spans if span.link]
        ['https://doi.org/10.1000/182']
    """
    spans, done = [], 0
    for found in ADDRESS.finditer(text):
        address = found[0].rstrip(".")
        where = address if address.startswith("http") else f"https://doi.org/{address}"
        spans += [Span(text[done : found.start()]), Span(address, link=where)]
        done = found.start() + len(address)
    return Text((*spans, Span(text[done:])))

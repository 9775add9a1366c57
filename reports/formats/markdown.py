"""Markdown format: blocks as GitHub writes them, with figures beside; whatever a name holds is shown as it is."""

import re
from collections.abc import Sequence
from html import escape as html_escape
from pathlib import Path
from urllib.parse import quote

from datasets.io.atomic import write_text
from reports.content.blocks import (
    Beside,
    Block,
    Bullets,
    Explorer,
    Folded,
    Heading,
    Listing,
    Notice,
    Panels,
    Paragraph,
    Picture,
)
from reports.content.table import Table
from reports.content.text import Span, Text, as_text
from reports.document import Document

MARKS = {"strong": "**", "emphasis": "*", "": ""}
SPECIAL = re.compile(r"([\\`*_\[\]<>|#&~$])")
AT_THE_START = re.compile(r"^(\s*)([-+=]|\d+[.)])")


def write_markdown(document: Document, path: Path) -> None:
    write_text(path, markdown(document.blocks, document.run.root) + "\n")


def markdown(blocks: Sequence[Block], folder: Path) -> str:
    """Blocks apart by empty lines.

    Args:
        folder: where the Markdown lies; pictures are named from there.
    """
    return "\n\n".join(filter(None, (_block(block, folder) for block in blocks)))


def inline(text: Text | str, *, in_table: bool = False) -> str:
    """A text in one line.

    Args:
        in_table: where a bar would end a code span's cell.
    """
    return "".join(_span(span, in_table) for span in as_text(text).spans)


def _span(span: Span, in_table: bool) -> str:
    text = " ".join(span.text.splitlines()) if "\n" in span.text or "\r" in span.text else span.text
    if span.style == "code":
        shown = _code(text, in_table)
    else:
        mark = MARKS[span.style]
        bare = text.strip()
        inside = SPECIAL.sub(r"\\\1", bare)
        # A mark is none beside a blank: blanks stay outside of it.
        before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :] if bare else ""
        shown = f"{before}{mark}{inside}{mark}{after}" if bare else text
    return f"[{shown}]({quote(span.link, safe=':/?#=&%,;@+~')})" if span.link else shown


def _code(text: str, in_table: bool) -> str:
    """A code span that no run of backticks in it can end."""
    if not text.strip():
        return text
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    padded = f" {text} " if text[0] in "` " or text[-1] in "` " else text
    return f"{fence}{padded.replace('|', chr(92) + '|') if in_table else padded}{fence}"


def _line(text: Text | str) -> str:
    """A text that begins a line: it begins no list and no heading."""
    return AT_THE_START.sub(lambda found: f"{found[1]}{found[2][:-1]}\\{found[2][-1]}", inline(text))


def _block(block: Block, folder: Path) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {inline(block.text)}"
        case Paragraph():
            return _line(block.text)
        case Notice():
            return f"> {_line(block.text)}"
        case Bullets():
            return "\n".join(f"- {_line(item)}" for item in block.items)
        case Listing():
            return _listing(block)
        case Picture():
            path = quote(block.path.relative_to(folder).as_posix())
            caption = f"\n\n{_line(block.caption)}" if block.caption else ""
            return f"![{inline(block.alt)}]({path}){caption}"
        case Explorer():
            return markdown(block.fallback, folder)
        case Beside() | Panels():
            return markdown(block.blocks, folder)
        case Folded():
            inside = markdown(block.blocks, folder)
            return f"<details><summary>{html_escape(str(block.summary))}</summary>\n\n{inside}\n\n</details>"
        case Table():
            return table(block)


def _listing(block: Listing) -> str:
    """A fence longer than any in the text."""
    longest = max(map(len, re.findall("`+", block.text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{block.language}\n{block.text}\n{fence}"


def table(one: Table) -> str:
    """The caption, then a GitHub table; without any row: ""."""
    if not one:
        return ""
    headings = [inline(column.heading, in_table=True) for column in one.columns]
    body = [[inline(cell, in_table=True) for cell in row] for row in one.shown()]
    widths = [max(3, *map(len, cells)) for cells in zip(headings, *body, strict=True)]
    rule = [
        "-" * width if column.is_text else "-" * (width - 1) + ":"
        for column, width in zip(one.columns, widths, strict=True)
    ]
    lines = [_row(headings, widths, one), f"| {' | '.join(rule)} |", *(_row(row, widths, one) for row in body)]
    return f"{_line(one.title)}\n\n" + "\n".join(lines) if one.caption else "\n".join(lines)


def _row(cells: Sequence[str], widths: Sequence[int], one: Table) -> str:
    padded = (
        cell.ljust(width) if column.is_text else cell.rjust(width)
        for cell, width, column in zip(cells, widths, one.columns, strict=True)
    )
    return f"| {' | '.join(padded)} |"

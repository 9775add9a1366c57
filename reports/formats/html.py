"""HTML format: blocks as one page that is read offline, with sortable tables and a viewer of volumes."""

import base64
import json
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files
from math import isnan
from pathlib import Path
from typing import Any, Literal

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
from reports.content.table import Cell, Column, Table
from reports.content.text import Span, Text, as_text
from reports.document import Document
from reports.formats.viewer import viewer_content

ELEMENTS = {"strong": "strong", "emphasis": "em", "code": "code"}
LINKS = ("https://", "http://", "#", "methods/", "../", "./")
"""What an address may begin with; anything else is shown without a link."""


def write_html(document: Document, path: Path) -> None:
    """Write the report as one page, with volumes of a few cases to be scrolled through where they are wanted."""
    title, *body = document.blocks
    content = viewer_content(document) if document.volumes else None
    text = str(title.text) if isinstance(title, Heading) else ""
    write_text(path, page_html(text, body, viewer=content))


def page_html(title: str, blocks: Sequence[Block], *, viewer: dict[str, Any] | None = None, home: str = "") -> str:
    """One page that loads nothing from elsewhere.

    Args:
        viewer: of `viewer_content`.
        home: where the page's brand leads to; "" for nowhere.
    """
    from jinja2 import Environment, PackageLoader

    page = Page()
    body = page.render(blocks)
    scripts = [
        "report.js",
        *(["board.js"] if page.panels else []),
        *(["vega.min.js", "explore.js"] if page.charts else []),
        *(["viewer.js"] if viewer else []),
    ]
    template = Environment(loader=PackageLoader("reports", "web"), autoescape=True).get_template("report.html.jinja")
    return template.render(
        title=title,
        home=home,
        body=body,
        contents=page.contents,
        viewer=viewer and script_json(viewer),
        scripts=[_script(name) for name in scripts],
        style=_file("report.css"),
    )


def script_json(content: Any) -> str:
    """JSON that may stand in a script element: no text in it can end that element or begin a comment."""
    return json.dumps(content).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _script(name: str) -> str:
    """A script to be inlined; a string of it that would end the script element is broken up."""
    return _file(name).replace("</script", "<\\/script")


@cache
def _file(name: str) -> str:
    return (files("reports") / "web" / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Link:
    """A line of the page's contents.

    Attributes:
        anchor: unique in the page.
    """

    level: int
    text: str
    anchor: str


@dataclass
class Page:
    """Blocks as HTML; everything that comes from a block is text, so that no name can bring an element.

    Attributes:
        contents: the headings so far that a reader may want to go to.
        charts: whether anything needs the library of charts.
        panels: whether there are parts to be chosen from.
    """

    contents: list[Link] = field(default_factory=list)
    charts: bool = False
    panels: bool = False
    _anchors: set[str] = field(default_factory=set)

    def render(self, blocks: Sequence[Block]) -> str:
        return "\n".join(filter(None, map(self._block, blocks)))

    def _block(self, block: Block) -> str:
        match block:
            case Heading():
                anchor = self._anchor(block.text, block.level)
                return f'<h{block.level} id="{anchor}">{inline(block.text)}</h{block.level}>'
            case Paragraph():
                return f"<p>{inline(block.text)}</p>"
            case Notice():
                return f'<p class="notice">{inline(block.text)}</p>'
            case Bullets():
                return f"<ul>{''.join(f'<li>{inline(item)}</li>' for item in block.items)}</ul>"
            case Listing():
                kind = f' class="{escape(block.language)}"' if block.language else ""
                return f'<pre tabindex="0"{kind}><code>{escape(block.text)}</code></pre>'
            case Picture():
                return _picture(block)
            case Explorer():
                content = f'<script type="application/json" class="content">{script_json(block.content)}</script>'
                self.charts = True
                told = "Every other choice needs JavaScript; the charts above are of the first endpoint."
                explorer = f'<div class="explorer" hidden>{content}</div><p class="unscripted">{told}</p>'
                return self.render(block.fallback) + explorer
            case Beside():
                return f'<div class="beside">{self.render(block.blocks)}</div>'
            case Panels():
                self.panels = True
                parts = [f'<section class="panel">{self.render([Heading(title), *own])}</section>'
                         for title, own in block.parts]  # fmt: skip
                kinds = escape(json.dumps({name: sorted(own) for name, own in block.kinds.items()}), quote=True)
                return f'<div class="panels" data-kinds="{kinds}">{"".join(parts)}</div>'
            case Folded():
                anchor = self._anchor(block.summary, block.level)
                summary = f'<summary><span id="{anchor}">{inline(block.summary)}</span></summary>'
                return f"<details>{summary}\n{self.render(block.blocks)}\n</details>"
            case Table():
                return table(block)

    def _anchor(self, text: Text | str, level: int) -> str:
        """A new id; the same text twice gets a number."""
        plain = re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-") or "section"
        names = (plain, *(f"{plain}-{place}" for place in range(2, 10_000)))
        anchor = next(name for name in names if name not in self._anchors)
        self._anchors.add(anchor)
        if level <= 3:
            self.contents.append(Link(level, str(text), anchor))
        return anchor


def inline(text: Text | str) -> str:
    return "".join(map(_span, as_text(text).spans))


def _span(span: Span) -> str:
    shown = escape(span.text)
    if span.style:
        shown = f"<{ELEMENTS[span.style]}>{shown}</{ELEMENTS[span.style]}>"
    return f'<a href="{escape(span.link)}">{shown}</a>' if span.link.startswith(LINKS) else shown


def _picture(block: Picture) -> str:
    caption = f"<figcaption>{inline(block.caption)}</figcaption>" if block.caption else ""
    return f"<figure>{_image(block)}{caption}</figure>"


def _image(block: Picture) -> str:
    """A drawing as part of the page, whose text has the page's colour; any other picture as data."""
    alt = escape(block.alt, quote=True)
    if not _is_own(block.path):
        return f"<p>{alt}</p>"
    if block.path.suffix == ".svg":
        drawing = block.path.read_text(encoding="utf-8")
        drawing = drawing[drawing.index("<svg") :].replace("</script", "")
        return f'<div class="scroll" role="img" aria-label="{alt}" tabindex="0">{drawing}</div>'
    kind = mimetypes.guess_type(block.path.name)[0] or "application/octet-stream"
    data = base64.b64encode(block.path.read_bytes()).decode()
    return f'<img src="data:{kind};base64,{data}" alt="{alt}">'


def _is_own(path: Path) -> bool:
    """Whether a picture is a file of the run's own `figures/`, reached by no link: no other is embedded."""
    return path.is_file() and path.resolve() == path.parents[1].resolve() / "figures" / path.name


def table(one: Table) -> str:
    """A table with its caption, scopes of its headers, and the number of each cell to sort by."""
    if not one:
        return ""
    classes = ["sortable"] + ["heat"] * any(cell.shade is not None for row in one.rows for cell in row)
    head = "".join(map(_heading, one.columns))
    rows = [_row(one, cells) for cells in one.rows]
    caption = f"<caption>{inline(one.title)}</caption>" if one.caption else ""
    label = escape(str(one.caption) or one.name, quote=True)
    body = "\n".join(rows)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="{" ".join(classes)}">'
        f"{caption}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>"
    )


def _heading(column: Column) -> str:
    """Numbers are sorted best first, which is down but where less is better; no line begins with the arrow."""
    first = "ascending" if column.is_text or column.higher_is_better is False else "descending"
    number = "" if column.is_text else ' class="number"'
    heading = re.sub(" (?=[\N{UPWARDS ARROW}\N{DOWNWARDS ARROW}]$)", "&nbsp;", escape(column.heading))
    return f'<th scope="col" data-first="{first}"{number}>{heading}</th>'


def _row(one: Table, cells: Sequence[Cell]) -> str:
    made = [
        _cell(cell, column, "th" if place < one.headers else "td")
        for place, (cell, column) in enumerate(zip(cells, one.columns, strict=True))
    ]
    return f"<tr>{''.join(made)}</tr>"


def _cell(cell: Cell, column: Column, element: Literal["td", "th"]) -> str:
    scope = ' scope="row"' if element == "th" else ""
    sort = "" if isnan(cell.value) else f' data-sort="{cell.value:.6g}"'
    return f"<{element}{scope}{_classes(cell, column)}{sort}>{inline(cell.shown(column))}</{element}>"


def _classes(cell: Cell, column: Column) -> str:
    names = [] if column.is_text else ["number"]
    names += [cell.state.split()[0]] if cell.state.startswith(("better", "worse")) else []
    names += [f"shade{cell.shade:+d}".replace("+", "p").replace("-", "m")] if cell.shade else []
    return f' class="{" ".join(names)}"' if names else ""

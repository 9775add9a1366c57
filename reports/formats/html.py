"""HTML format: Markdown as one page that is read offline, with sortable tables and a viewer of volumes."""

import base64
import itertools
import json
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from markdown_it.token import Token

from datasets.io.atomic import write_text
from reports.document import Document
from reports.formats.viewer import viewer_content
from reports.markup.markdown import MISSING, UNDEFINED, plain
from reports.sections.columns import SIGNS


def write_html(document: Document, path: Path) -> None:
    """Write the sections as one page, with volumes of a few cases to be scrolled through where they are wanted."""
    title, _, badges = document.sections[0].partition("\n\n")
    body = "\n\n".join([badges, *document.sections[1:]])
    content = viewer_content(document) if document.volumes else None
    write_text(path, page_html(title.lstrip("# "), body, document.run.root, viewer=content))


def page_html(title: str, body: str, folder: Path, *, viewer: dict[str, Any] | None = None, home: str = "") -> str:
    """One page that loads nothing from elsewhere.

    Args:
        body: Markdown.
        folder: where the paths of the body's pictures begin.
        viewer: of `viewer_content`.
        home: where the page's brand leads to; "" for nowhere.
    """
    from jinja2 import Environment, PackageLoader

    page = render(body, folder)
    template = Environment(loader=PackageLoader("reports", "web"), autoescape=True).get_template("report.html.jinja")
    return template.render(
        title=title,
        home=home,
        body=page.html,
        contents=[heading for heading in page.headings if heading.level in (2, 3)],
        viewer=viewer and script_json(viewer),
        niivue=_script("niivue.umd.js") if viewer else "",
        scripts=[_script("sortable.min.js"), _script("sortable.a11y.min.js")],
        viewer_script=_script("viewer.js") if viewer else "",
        style=_file("report.css"),
    )


def script_json(content: Any) -> str:
    """JSON that may stand in a script element: no text in it can end that element or begin a comment."""
    return json.dumps(content).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _script(name: str) -> str:
    """A script to be inlined; a string of it that would end the script element is broken up."""
    return _file(name).replace("</script", "<\\/script")


def _file(name: str) -> str:
    return (files("reports") / "web" / name).read_text(encoding="utf-8")


PICTURES = (".png", ".svg")
NUMBER = r"([^\w\s.+-]?) ?([+-]?\d+(?:,\d{3})*(?:\.\d+)?)(?![\w,])"
STATES = {SIGNS["better"]: "number better", SIGNS["worse"]: "number worse"}


@dataclass(frozen=True)
class Heading:
    """A line of the page's contents.

    Attributes:
        anchor: unique in the page.
    """

    level: int
    text: str
    anchor: str


@dataclass(frozen=True)
class Page:
    html: str
    headings: Sequence[Heading]


def render(markdown: str, folder: Path) -> Page:
    """Render Markdown; HTML in it is shown as it is written, so that no name can bring any.

    Args:
        folder: where the pictures' relative paths begin; those that are there become part of the page.
    """
    reader = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = _folded(reader.parse(markdown))
    headings = _anchored(tokens)
    for token in tokens:
        for inner in token.children or ():
            if inner.type == "image":
                _embed(inner, folder)
    _make_sortable(tokens)
    html = reader.renderer.render(tokens, reader.options, {})
    html = html.replace("<table", '<div class="scroll" tabindex="0" role="region" aria-label="Table"><table')
    return Page(html.replace("</table>", "</table></div>"), headings)


def _folded(tokens: Sequence[Token]) -> list[Token]:
    """With the two lines by which a report folds away a table as elements; no other HTML is let through."""
    made: list[Token] = []
    for place, token in enumerate(tokens):
        content = token.content if token.type == "inline" and tokens[place - 1].type == "paragraph_open" else ""
        summary = re.fullmatch(r"<details><summary>(.*)</summary>", content)
        if summary or content == "</details>":
            made[-1] = Token("html_block", "", 0)  # in place of the paragraph's opening; its end goes too
            made[-1].content = f"<details><summary>{escape(plain(summary[1]))}</summary>" if summary else content
        elif not (token.type == "paragraph_close" and made[-1].type == "html_block"):
            made.append(token)
    return made


def _anchored(tokens: Sequence[Token]) -> list[Heading]:
    """Give every heading an id; the same text twice gets a number."""
    headings: list[Heading] = []
    taken: set[str] = set()
    for token, inline in itertools.pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = "".join(child.content for child in inline.children or ())
        plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "section"
        anchor = next(name for name in (plain, *(f"{plain}-{n}" for n in range(2, 1000))) if name not in taken)
        taken.add(anchor)
        token.attrSet("id", anchor)
        headings.append(Heading(int(token.tag[1]), text, anchor))
    return headings


def _embed(image: Token, folder: Path) -> None:
    path = folder / unquote(str(image.attrGet("src")))  # the reader quotes brackets in a cohort's name
    if _is_figure(path, folder / "figures"):
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        image.attrSet("src", f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}")
    image.attrSet("alt", image.content)
    image.attrSet("loading", "lazy")


def _is_figure(path: Path, figures: Path) -> bool:
    """Whether a path leads to a picture that was drawn for the page; no name in a report embeds any other file."""
    return path.is_file() and path.suffix in PICTURES and path.resolve().parent == figures.resolve()


def _make_sortable(tokens: Sequence[Token]) -> None:
    """Numbers are sorted as numbers: each cell says the one that its text begins with, after the sign of a state."""
    for token, inline in itertools.pairwise(tokens):
        if token.type == "table_open":
            token.attrSet("class", "sortable")
        elif token.type == "td_open":
            text = "".join(child.content for child in inline.children or ())
            number = re.match(NUMBER, text)
            if number:
                token.attrSet("data-sort", number[2].replace(",", ""))
            if number or text in (MISSING, UNDEFINED):
                token.attrSet("class", STATES.get(number[1], "number") if number else "number")

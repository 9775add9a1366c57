"""write_html: `report.html`, one file that is read offline: on a screen, a phone or paper, with a viewer of volumes."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

from datasets.io.atomic import write_text
from reports.document import Document
from reports.formats.html_rendering import render
from reports.formats.viewer import viewer_content


def write_html(document: Document, *, volumes: bool = True) -> Path:
    """Write `report.html` into the run folder; its path is returned.

    Args:
        volumes: whether scans and maps of a few cases are put into the file, to be scrolled through. Only cohorts
            whose scans may be shown are.
    """
    title, _, badges = document.sections[0].partition("\n\n")
    body = "\n\n".join([badges, *document.sections[1:]])
    content = viewer_content(document) if volumes else None
    path = document.run.root / "report.html"
    write_text(path, page_html(title.lstrip("# "), body, document.run.root, viewer=content))
    return path


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

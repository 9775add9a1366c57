"""FORMATS: the ways a report can be written, and `write`, which does."""

from collections.abc import Callable, Mapping
from pathlib import Path

from reports.document import Document
from reports.formats.csv import write_csv
from reports.formats.html import write_html
from reports.formats.latex import write_latex
from reports.formats.markdown import write_markdown

FORMATS: Mapping[str, Callable[[Document], Path]] = {
    "md": write_markdown,
    "html": write_html,
    "latex": write_latex,
    "csv": write_csv,
}


def write(document: Document, name: str, *, volumes: bool = True) -> Path:
    """Write one format; the file's path is returned.

    Args:
        volumes: see `write_html`; other formats hold none.
    """
    return write_html(document, volumes=volumes) if name == "html" else FORMATS[name](document)

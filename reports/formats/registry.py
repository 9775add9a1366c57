"""FORMATS: the formats that a report can be written in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import BadValue
from datasets.io.atomic import write_text
from datasets.registry import Registry
from reports.document import Document
from reports.formats.csv import write_csv
from reports.formats.html import write_html
from reports.formats.latex import write_latex


@dataclass(frozen=True)
class OutputFormat:
    """One way to write a report.

    Attributes:
        title: what it is for, in a line.
        file: what the file is called, in the run folder.
        write: writes the document to a path.
        origin: a plugin's distribution and version; "" for a built-in.
    """

    name: str
    title: str
    file: str
    write: Callable[[Document, Path], None]
    origin: str = ""


def _write_markdown(document: Document, path: Path) -> None:
    write_text(path, "\n\n".join(document.sections) + "\n")


_BUILT_IN = (
    OutputFormat("md", "Markdown, with its figures beside it", "report.md", _write_markdown),
    OutputFormat("html", "one file that is read offline, with a viewer of volumes", "report.html", write_html),
    OutputFormat("latex", "tables and methods text for a paper", "report.tex", write_latex),
    OutputFormat("csv", "every number of the tables, for machines", "boards.csv", write_csv),
)


def _check(one: OutputFormat) -> None:
    if one.file in {built_in.file for built_in in _BUILT_IN}:
        raise BadValue(f"Report format '{one.name}': got file '{one.file}', expected one of no built-in format.")


FORMATS = Registry(
    "report format", "uadbench.formats", OutputFormat, {one.name: one for one in _BUILT_IN}, check=_check
)


def write_document(document: Document, name: str) -> Path:
    """Write one format into the run folder; the file's path is returned.

    Raises:
        UnknownName: no format is called `name`.
    """
    one = FORMATS[name]
    path = document.run.root / one.file
    one.write(document, path)
    return path

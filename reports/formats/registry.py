"""FORMATS: the formats that a report can be written in."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from datasets.errors import BadValue, one_line
from datasets.registry import Registry
from reports.document import Document
from reports.formats.csv import write_csv
from reports.formats.html import write_html
from reports.formats.latex import write_latex
from reports.formats.markdown import write_markdown

log = logging.getLogger(__name__)


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


_BUILT_IN = (
    OutputFormat("md", "Markdown, with its figures beside it", "report.md", write_markdown),
    OutputFormat("html", "one file that is read offline, with a viewer of volumes", "report.html", write_html),
    OutputFormat("latex", "tables and methods text for a paper", "report.tex", write_latex),
    OutputFormat("csv", "every cell of the tables, for machines", "tables.csv", write_csv),
)


_HELD_JSON = "study environment audit summary verification merged"
_HELD_CSV = "rows timing speed participants summary comparisons implants audiogram controls agreement"
HELD = {
    *(f"{name}.json" for name in _HELD_JSON.split()),
    *(f"{name}.csv" for name in _HELD_CSV.split()),
    *("figures", "fits", "cells", "calibration", "sha256sums"),
}
"""What a run folder holds beside its reports, in lower case."""


def _check(one: OutputFormat) -> None:
    """Refuse a plugin's format whose file is no bare name, or another's.

    Raises:
        BadValue: it is such a one.
    """
    bare = one.file and not one.file.startswith(".") and not {"/", "\\", ":", "\0"} & set(one.file)
    if not bare or one.file.lower() in HELD:
        raise BadValue(
            f"Report format '{one.name}': got file {one.file!r}, expected a bare file name that a run does not hold "
            "itself, such as report.txt."
        )
    if one.file.lower() in {built_in.file for built_in in _BUILT_IN}:
        raise BadValue(f"Report format '{one.name}': got file '{one.file}', expected one of no built-in format.")


FORMATS = Registry(
    "report format", "uadbench.formats", OutputFormat, {one.name: one for one in _BUILT_IN}, check=_check
)


def write_document(document: Document, name: str) -> Path | None:
    """Write one format into the run folder; the file's path is returned, None where a plugin's format fails.

    Raises:
        UnknownName: no format is called `name`.
        BadValue: another plugin's format has the same file.
    """
    one = FORMATS[name]
    rivals = [other.name for other in FORMATS.usable().values() if other.file.lower() == one.file.lower()]
    if len(rivals) > 1:
        raise BadValue(
            f"Report format '{name}': got file '{one.file}' of {' and '.join(rivals)}, expected one's alone."
        )
    path = document.run.root / one.file
    try:
        one.write(document, path)
    except Exception as error:  # whatever a plugin raises costs only its own file
        if not one.origin:
            raise
        log.warning("Report format '%s' of %s is left out: %s.", name, one.origin, one_line(error))
        return None
    return path

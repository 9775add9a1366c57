"""Writes the page of a published study as HTML and Markdown, with its figures beside."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.replication.measured import Replication
from datasets.io.atomic import write_text
from reports.content.blocks import Heading
from reports.figures.replication import Guided
from reports.formats.html import page_html
from reports.formats.markdown import markdown
from reports.replication.page import page_blocks, write_figures


def write_replication(
    found: Replication,
    folder: Path,
    data: Path,
    *,
    guided: Mapping[str, Guided],
    pictures: Sequence[str] | None = None,
) -> list[Path]:
    """Write `replication.html`, `replication.md` and `figures/` into `folder`; both pages' paths are returned.

    Args:
        data: where the scans are, for the pictures.
        guided: by item a case with what a conditioned model makes of one slice of it.
        pictures: cohorts whose scans may be shown; None for all.
    """
    title, body = page_blocks(found, write_figures(found, folder, data, guided, pictures))
    html, plain = folder / "replication.html", folder / "replication.md"
    write_text(html, page_html(title, body))
    write_text(plain, markdown([Heading(title, 1), *body], folder) + "\n")
    return [html, plain]

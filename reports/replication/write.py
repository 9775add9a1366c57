"""Writes the page of a published study as HTML and Markdown."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.replication.measured import Replication, StatusLine
from datasets.io.atomic import write_text
from reports.content.blocks import Heading, Picture
from reports.formats.html import page_html
from reports.formats.markdown import markdown
from reports.replication.page import page_blocks


def write_replication(
    found: Replication, lines: Sequence[StatusLine], figures: Mapping[str, Sequence[Picture]], folder: Path
) -> list[Path]:
    """Write `replication.html` and `replication.md` into `folder`; their paths are returned.

    Args:
        lines: of the status table.
        figures: by item what `draw_replication` has drawn below `folder`.
    """
    title, body = page_blocks(found, lines, figures)
    html, plain = folder / "replication.html", folder / "replication.md"
    write_text(html, page_html(title, body))
    write_text(plain, markdown([Heading(title, 1), *body], folder) + "\n")
    return [html, plain]

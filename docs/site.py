"""For the documentation site: diagrams are drawn when it is built, and links that lead out of it become their text."""

import re
from posixpath import join, normpath
from typing import Any

import mermaidx

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?:|#)([^)#\s]+)[^)]*\)")
DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def on_page_markdown(markdown: str, *, page: Any, files: Any, **_: Any) -> str:
    """One page for the site: nothing of it has to be fetched, so that it works offline."""
    folder = page.file.src_uri.rpartition("/")[0]

    def within(link: re.Match[str]) -> str:
        known = files.get_file_from_path(normpath(join(folder, link[2])))
        return link[0] if known is not None and known.inclusion.is_included() else link[1]

    return DIAGRAM.sub(_drawn, LINK.sub(within, markdown))


def _drawn(diagram: re.Match[str]) -> str:
    lines = mermaidx.render(diagram[1]).svg().splitlines()
    return f"<div>{''.join(line for line in lines if line.strip())}</div>"

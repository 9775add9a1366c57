"""Markdown: escaping, plain text, tables, and folded parts."""

import re
from collections.abc import Sequence

from tabulate import tabulate


def escape(text: str) -> str:
    """Text that Markdown shows as it is written, in tables too."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", text.replace("\n", " "))


def plain(markdown: str) -> str:
    """Markdown as its reader sees it: without the marks of emphasis and code, nothing escaped."""
    return re.sub(r"\\(.)|[`*]", lambda found: found[1] or "", markdown)


def folded(summary: str, body: str) -> str:
    """Markdown that a reader unfolds."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def github_table(headers: Sequence[str], body: Sequence[Sequence[str]], texts: int) -> str:
    """A GitHub table; the first `texts` columns are text, all others numbers. Without any line: ""."""
    if not body:
        return ""
    return tabulate(body, headers, tablefmt="github", disable_numparse=True, colalign=alignment(len(headers), texts))


def alignment(columns: int, texts: int) -> list[str]:
    """Text to the left, numbers to the right."""
    return ["left"] * texts + ["right"] * (columns - texts)


MISSING, UNDEFINED = "-", "n/a"

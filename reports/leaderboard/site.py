"""Static site of a leaderboard: its pages as files that are read offline, with the tables behind them."""

import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmark.storage.summary_tables import comparisons_path, summary_path
from datasets.io.atomic import write_json, write_text
from reports.formats.html import page_html
from reports.leaderboard.index_page import file_mark, index_page, standings
from reports.leaderboard.method_page import method_page
from reports.leaderboard.results import LeaderboardResults


def write_site(groups: Sequence[LeaderboardResults], out: Path) -> Path:
    """Write `index.html`, a page a method and the tables that they are made of; the first page's path is returned.

    Args:
        groups: verified entries, then attested and self-reported ones, as far as there are any.
    """
    shutil.rmtree(out / "methods", ignore_errors=True)
    pages = [_method_pages(group, out) for group in groups]
    path = out / "index.html"
    write_text(path, page_html(*index_page(groups, pages)))
    for group in groups:
        write_json(out / f"{file_mark(group)}standings.json", standings(group))
        for table in (summary_path(group.run.root), comparisons_path(group.run.root)):
            if table.is_file():
                shutil.copyfile(table, out / f"{file_mark(group)}{table.name}")
    return path


def _method_pages(group: LeaderboardResults, out: Path) -> dict[str, str]:
    """By method the page that is written."""
    folder = out / "methods" if group.is_verified else out / "methods" / group.status
    home = "../index.html" if group.is_verified else "../../index.html"
    files = {method: folder / name for method, name in _file_names(group.methods).items()}
    for method, path in files.items():
        write_text(path, page_html(*method_page(group, method), home=home))
    return {method: path.relative_to(out).as_posix() for method, path in files.items()}


def _file_names(methods: Iterable[str]) -> dict[str, str]:
    """Names that any server and file system take, each once."""
    names: dict[str, str] = {}
    for method in methods:
        plain = re.sub(r"[^a-z0-9]+", "-", method.lower()).strip("-") or "method"
        taken = set(names.values())
        names[method] = next(
            name for name in (f"{plain}.html", *(f"{plain}-{n}.html" for n in range(2, 1000))) if name not in taken
        )
    return names

"""Static site of a leaderboard: its pages as files that are read offline, with the tables behind them."""

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from benchmark.storage.summary_tables import comparisons_path, summary_path
from datasets.io.atomic import write_text
from reports.formats.html import page_html
from reports.leaderboard.index_page import index_page
from reports.leaderboard.method_page import method_page
from reports.leaderboard.results import LeaderboardResults


def write_site(leaderboard: LeaderboardResults, out: Path) -> Path:
    """Write `index.html`, a page a method and the tables that they are made of; the first page's path is returned."""
    files = _file_names(leaderboard.methods)
    shutil.rmtree(out / "methods", ignore_errors=True)
    for method, name in files.items():
        write_text(out / "methods" / name, page_html(*method_page(leaderboard, method), home="../index.html"))
    pages = {method: f"methods/{name}" for method, name in files.items()}
    path = out / "index.html"
    write_text(path, page_html(*index_page(leaderboard, pages)))
    for table in (summary_path(leaderboard.run.root), comparisons_path(leaderboard.run.root)):
        if table.is_file():
            shutil.copyfile(table, out / table.name)
    return path


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

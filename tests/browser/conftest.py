"""Pages of reports in headless Chromium; tests skip where it, playwright or axe-core is absent."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from board_by_hand import write_board
from cohorts import INPATIENTS, PATIENTS, VOLUNTEERS, write_cohort
from runs_by_hand import write_people, write_run
from scored_runs import make

from benchmark.analysis.summaries.make import summarise
from benchmark.commands.leaderboard import build
from reports.document import compose
from reports.formats.registry import write_document

Open = Callable[..., Any]
EIGHT = (
    (VOLUNTEERS, {"train": 2, "val": 2, "test": 2}),
    (PATIENTS, {"val": 2, "test": 7}),
    (INPATIENTS, {"val": 2, "test": 7}),
)


@pytest.fixture(scope="session")
def report_page(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Path:
    """The report of a small run with scans, volumes and everything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        made = make(tmp_path_factory.mktemp("browser"), data)
        return Path(write_document(compose(made.run, data), "html") or "")


@pytest.fixture(scope="session")
def wide_page(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Path:
    """The report of twelve methods in ranks, without scans."""
    return _page_of(12, tmp_path_factory.mktemp("wide"), plugin_folder)


@pytest.fixture(scope="session")
def long_page(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Path:
    """The same of 45 methods."""
    return _page_of(45, tmp_path_factory.mktemp("long"), plugin_folder)


def _page_of(methods: int, folder: Path, plugin_folder: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        write_people(folder / "data")
        means = {f"method{place}": 0.6 - 0.3 * place / methods for place in range(methods)}
        run = write_run(folder / "run", means=means)
        summarise(run, folder / "data")
        return Path(write_document(compose(run, None, pictures=[]), "html") or "")


@pytest.fixture(scope="session")
def eight_page(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Path:
    """The report of eight methods on two lesion cohorts that can be ranked, with scans."""
    folder = tmp_path_factory.mktemp("eight")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        for cohort, counts in EIGHT:
            write_cohort(folder / "data", cohort, counts)
        made = make(folder / "run", folder / "data", methods=("thresh", *(f"ae{place}" for place in range(7))))
        return Path(write_document(made.document(folder / "data"), "html") or "")


@pytest.fixture(scope="session")
def board_page(tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Path:
    """The first page of a board of four entries, the last with a single training seed."""
    board = tmp_path_factory.mktemp("board")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        write_board(board, 4, ("light",), ("healthy-fpr-1", "lesion-val"), single=(3,))
        build(board)
    return board / "site" / "index.html"


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def shown(browser: Any) -> Iterator[Open]:
    """Opens a page of given width and media; errors of its scripts fail the test."""
    contexts, errors = [], []

    def show(path: Path, width: int = 1280, **media: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **media)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(error))
        page.goto(path.as_uri())
        if media.get("java_script_enabled", True):
            page.wait_for_function("!document.querySelector('.explorer') || document.querySelector('.explorer svg')")
        return page

    yield show
    for context in contexts:
        context.close()
    assert errors == []

"""A small study to interrupt, and its rows without interruption."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cohorts import TINY
from interruption import InterruptibleStudy, UninterruptedRun

from datasets.grid import GRIDS


@pytest.fixture(scope="module")  # not longer: meanwhile the plugin is installed
def plugged_in(plugin_folder: Path) -> Iterator[None]:
    """As `plugin`, for what is made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        patch.setitem(GRIDS, "quick", TINY)
        yield


@pytest.fixture
def study(plugin: None, data: Path, tmp_path: Path) -> InterruptibleStudy:
    return InterruptibleStudy(data, tmp_path / "log")


@pytest.fixture(scope="module")  # not longer: meanwhile the plugin is installed
def uninterrupted(plugged_in: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> UninterruptedRun:
    folder = tmp_path_factory.mktemp("uninterrupted")
    seconds = InterruptibleStudy(data, folder / "log").run(folder / "run")
    return UninterruptedRun((folder / "run" / "rows.csv").read_bytes(), seconds)

"""The small study that is disturbed, and its rows where nobody disturbs it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from cohorts import TINY
from disturbed import Disturbed, Undisturbed

from datasets.grid import GRIDS


@pytest.fixture(scope="module")  # not longer: meanwhile the plugin is installed
def plugged_in(plugin_folder: Path) -> Iterator[None]:
    """As `plugin`, for what is made once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        patch.setitem(GRIDS, "quick", TINY)
        yield


@pytest.fixture
def study(plugin: None, data: Path, tmp_path: Path) -> Disturbed:
    return Disturbed(data, tmp_path / "log")


@pytest.fixture(scope="module")  # not longer: meanwhile the plugin is installed
def undisturbed(plugged_in: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    seconds = Disturbed(data, folder / "log").run(folder / "run")
    return Undisturbed((folder / "run" / "rows.csv").read_bytes(), seconds)

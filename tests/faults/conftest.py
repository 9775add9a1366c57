"""The small study that is disturbed, and its rows where nobody disturbs it."""

from pathlib import Path

import pytest
from disturbed import Disturbed, Undisturbed


@pytest.fixture
def study(plugin: None, data: Path, tmp_path: Path) -> Disturbed:
    return Disturbed(data, tmp_path / "log")


@pytest.fixture
def undisturbed(study: Disturbed, tmp_path: Path) -> Undisturbed:
    seconds = study.run(tmp_path / "undisturbed")
    study.log.unlink()
    return Undisturbed((tmp_path / "undisturbed" / "rows.csv").read_bytes(), seconds)

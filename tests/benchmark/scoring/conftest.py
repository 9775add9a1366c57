"""The folder of hand-made cases that tests of scoring share."""

from pathlib import Path

import pytest
from hand_made_cases import Bench

from benchmark.storage.folder import RunFolder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "data", RunFolder(tmp_path / "run"))

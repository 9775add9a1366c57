"""Finished runs and boards, made once a module, that every test gets copies of."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from commandline import Program

Runs = Callable[..., Path]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the module's runs and board are kept."""
    return tmp_path_factory.mktemp("shelf")


@pytest.fixture
def finished(program: Program, data: Path, shelf: Path, tmp_path: Path) -> Runs:
    """A copy of a finished run of some methods and cohorts."""

    def make(methods: str = "mean-distance", datasets: str = "patients", seeds: str = "0", name: str = "run") -> Path:
        kept = shelf / f"{methods}-{datasets}-{seeds}"
        if not kept.exists():
            options = ("--methods", methods, "--datasets", datasets, "--seeds", seeds, "--preset", "quick")
            assert program("run", *options, "--data", data, "--pictures", "", "--out", kept).exit_code == 0
        return shutil.copytree(kept, tmp_path / name)

    return make


@pytest.fixture
def board(program: Program, finished: Runs, shelf: Path, tmp_path: Path) -> Path:
    """A copy of a board with one entry, `first`."""
    if not (shelf / "board").exists():
        added = program("leaderboard", "add", shelf / "board", finished(name="first"), "--plugin", "mean-distance")
        assert added.exit_code == 0, added.output
    return shutil.copytree(shelf / "board", tmp_path / "board")

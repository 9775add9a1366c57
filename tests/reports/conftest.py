"""Runs that the tests of reports share."""

import shutil
from pathlib import Path

import pytest
from scored_runs import Made, make

from benchmark.storage.folder import RunFolder
from reports.document import Document, compose


@pytest.fixture
def made(tmp_path: Path, data: Path, plugin: None) -> Made:
    """Two methods on all cohorts, for one test to change."""
    return make(tmp_path / "run", data)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Made:
    """The same with its report, to be read only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        made = make(tmp_path_factory.mktemp("finished") / "run", data)
        made.report()
    return made


@pytest.fixture(scope="session")
def document(finished: Made, tmp_path_factory: pytest.TempPathFactory, plugin_folder: Path) -> Document:
    """Its report without pictures of scans, of a copy: a report removes those that it does not draw."""
    copy = tmp_path_factory.mktemp("document") / "run"
    shutil.copytree(finished.run.root, copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        return compose(RunFolder(copy), None, pictures=[])


@pytest.fixture(scope="session")
def report(finished: Made) -> str:
    return (finished.run.root / "report.md").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def validation(tmp_path_factory: pytest.TempPathFactory, data: Path, plugin_folder: Path) -> Made:
    """A run whose test split is closed, with its report; inpatients have no validation case."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(plugin_folder)
        made = make(tmp_path_factory.mktemp("validation") / "run", data, splits=("val",))
        made.report()
    return made


@pytest.fixture(scope="session")
def validation_report(validation: Made) -> str:
    return (validation.run.root / "report.md").read_text(encoding="utf-8")

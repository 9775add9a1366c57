"""What code does to files is noted down where it happens, however the program names the place."""

import importlib
import os
import shutil
import sys
from pathlib import Path

import pytest

from benchmark.methods.contract.actions import Actions, watched


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working directory, neither the fit's folder nor the place of temporary files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path_factory.mktemp("temporary")))
    monkeypatch.chdir(folder := tmp_path_factory.mktemp("elsewhere"))
    return folder


def test_a_tree_that_is_deleted_lies_where_it_lay_and_not_in_the_working_directory(
    elsewhere: Path, tmp_path: Path
) -> None:
    (tmp_path / "kept" / "deep").mkdir(parents=True)
    (tmp_path / "kept" / "deep" / "weights").touch()
    with watched(actions := Actions()):
        shutil.rmtree(tmp_path / "kept")
    assert actions.written.keys() == {tmp_path / part for part in ("kept", "kept/deep", "kept/deep/weights")}
    assert not actions.written_outside(tmp_path)


def test_a_tree_that_is_deleted_elsewhere_is_named(elsewhere: Path, tmp_path: Path) -> None:
    (elsewhere / "of the user").mkdir()
    (elsewhere / "of the user" / "scan.nii").touch()
    with watched(actions := Actions()):
        shutil.rmtree(elsewhere / "of the user")
    assert set(actions.written_outside(tmp_path)) == {elsewhere / "of the user", elsewhere / "of the user" / "scan.nii"}


def test_what_is_renamed_relative_to_two_folders_is_named_at_both(elsewhere: Path, tmp_path: Path) -> None:
    (tmp_path / "map").touch()
    here, there = os.open(tmp_path, os.O_RDONLY), os.open(elsewhere, os.O_RDONLY)
    try:
        with watched(actions := Actions()):
            os.rename("map", "moved", src_dir_fd=here, dst_dir_fd=there)
    finally:
        os.close(here)
        os.close(there)
    assert actions.written.keys() == {tmp_path / "map", elsewhere / "moved"}
    assert actions.written_outside(tmp_path) == [elsewhere / "moved"]


def test_bytecode_that_an_import_writes_is_no_action_of_a_method(
    elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere / "imported_while_watched.py").touch()
    monkeypatch.syspath_prepend(elsewhere)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.delitem(sys.modules, "imported_while_watched", raising=False)
    with watched(actions := Actions()):
        importlib.import_module("imported_while_watched")
    assert list(elsewhere.glob("__pycache__/*.pyc"))
    assert {path.suffix for path in actions.written} > {".pyc"}, "it is written under a passing name first"
    assert not actions.written_outside(tmp_path)

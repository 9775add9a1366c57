"""Files and folders are complete or absent, and never written where nobody may write."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from datasets.errors import BadValue
from datasets.io.atomic import (
    new_folder,
    read_json,
    refuse_read_only,
    write_json,
    write_text,
    written_whole,
)
from datasets.preparation.cohort import _check_writable
from datasets.simulation.phantom import write_phantom


def test_whoever_reads_a_file_keeps_what_it_held_when_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "before")
    with path.open() as stream:
        write_text(path, "after")
        assert stream.read() == "before"
    assert path.read_text() == "after"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_finished_leaves_the_one_before_and_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_text(path, "before")

    def fail() -> None:
        with written_whole(path) as beside:
            beside.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_record_is_on_the_disk_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a power cut leaves the old or the new one, and never an empty file of that name."""
    done = list[str]()
    for name in ("fsync", "replace"):
        monkeypatch.setattr(os, name, noted(getattr(os, name), name, done))
    for content in ({"a": 1}, {"a": 2}):
        write_json(tmp_path / "study.json", content)
    assert done == ["fsync", "replace"] * 2
    assert read_json(tmp_path / "study.json") == {"a": 2}


def noted(original: Callable[..., Any], name: str, done: list[str]) -> Callable[..., Any]:
    def called(*arguments: Any) -> Any:
        done.append(name)
        return original(*arguments)

    return called


def write(root: Path) -> None:
    with new_folder(root / "mine") as cohort:
        (cohort / "cases.csv").write_text("all")


def test_a_cohort_appears_when_it_is_complete(tmp_path: Path) -> None:
    with new_folder(tmp_path / "data" / "mine") as cohort:
        (cohort / "cases.csv").write_text("all")
        assert not (tmp_path / "data" / "mine").exists()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["mine"]


def test_a_cohort_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with new_folder(tmp_path / "mine") as cohort:
            (cohort / "cases.csv").write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_cohort_gives_way_only_to_a_complete_one(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(KeyError), new_folder(tmp_path / "mine", replace=True):
        raise KeyError
    assert (tmp_path / "mine" / "cases.csv").read_text() == "all"
    with new_folder(tmp_path / "mine", replace=True) as cohort:
        (cohort / "cases.csv").write_text("new")
    assert (tmp_path / "mine" / "cases.csv").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_another_cohort_is_not_written_over(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(BadValue, match="is there already"):
        write(tmp_path)


@pytest.mark.parametrize(
    "attempt",
    [
        write,
        lambda root: write(root / "below"),
        lambda root: write_phantom(root, healthy=1, lesion=0, spacing=8),
        refuse_read_only,
    ],
)
def test_a_folder_without_any_permission_to_write_is_left_alone_even_by_root(
    tmp_path: Path, attempt: Callable[[Path], None]
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o555)
    with pytest.raises(PermissionError, match="data"):
        attempt(data)
    assert list(data.iterdir()) == []
    data.chmod(0o755)
    attempt(data)


def test_a_preparation_leaves_it_alone_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o555)
    with pytest.raises(BadValue, match="cannot be written: Permission denied"):
        _check_writable(data / "ixi")
    assert list(data.iterdir()) == []

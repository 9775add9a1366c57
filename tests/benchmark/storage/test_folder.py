"""A run folder is ours or refused, and what is in it is whole."""

import json
from pathlib import Path

import pytest

from benchmark.storage.folder import FORMAT, RunFolder, create_run, open_run
from datasets.errors import BadFile, BadValue, MissingData
from datasets.io.atomic import read_json, write_json, written_whole


def test_a_new_folder_is_made_with_its_parents_and_can_be_opened(tmp_path: Path) -> None:
    root = tmp_path / "runs" / "first"
    assert create_run(root) == RunFolder(root)
    write_json(root / "study.json", {"format": FORMAT})
    assert create_run(root) == open_run(root) == RunFolder(root)


def test_a_folder_without_a_study_is_no_run_yet(tmp_path: Path) -> None:
    create_run(tmp_path / "run")
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(MissingData, match="No run at"):
        open_run(tmp_path / "run")


def test_an_empty_folder_and_hidden_leftovers_are_taken(tmp_path: Path) -> None:
    (tmp_path / ".17.study.json").touch()
    assert create_run(tmp_path) == RunFolder(tmp_path)


def test_a_folder_of_other_things_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(BadValue, match=r"got a folder that holds thesis.tex, expected an empty one"):
        create_run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"format": FORMAT + 1}, f"got run format {FORMAT + 1}, written by an unknown version of uadbench"),
        ({"format": "1"}, "got run format '1', written by an unknown version of uadbench"),
        ({"format": 3, "version": "0.0.7"}, "got run format 3, written by uadbench 0.0.7"),
        ({}, "got no run format, written by an unknown version of uadbench"),
    ],
)
def test_a_run_of_another_format_is_refused(tmp_path: Path, record: dict[str, object], told: str) -> None:
    (tmp_path / "study.json").write_text(json.dumps(record))
    for use in (create_run, open_run):
        with pytest.raises(BadFile) as refusal:
            use(tmp_path)
        assert f"study.json: {told}, expected {FORMAT}. To read it, install that version" in str(refusal.value)
        assert str(refusal.value).endswith("python -m benchmark run --out ANOTHER_FOLDER")


@pytest.mark.parametrize("content", ["", "{", '{"format": 1', "\udcff"])
def test_a_study_that_is_not_json_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(BadFile, match=r"study.json"):
        open_run(tmp_path)


@pytest.mark.parametrize("content", ["[]", "1", "null"])
def test_a_study_that_is_other_json_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(BadFile, match=r"study.json"):
        open_run(tmp_path)


def test_a_run_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(MissingData, match=r"No run at .*absent: looked for .*study.json. Make one with: python -m"):
        open_run(tmp_path / "absent")


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for root in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BadValue, match="cannot be written"):
            create_run(root)


def test_a_file_is_replaced_only_when_it_was_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "below" / "rows.csv"
    with written_whole(path) as beside:
        beside.write_text("first")
        assert not path.exists()
        assert beside.parent == path.parent
    with pytest.raises(KeyboardInterrupt):
        write_half_of_it(path)
    assert path.read_text() == "first"
    assert [one.name for one in path.parent.iterdir()] == ["rows.csv"]


def write_half_of_it(path: Path) -> None:
    with written_whole(path) as beside:
        beside.write_text("half of the sec")
        raise KeyboardInterrupt


def test_what_is_written_beside_keeps_its_kind(tmp_path: Path) -> None:
    with written_whole(tmp_path / "map.nii.gz") as beside:
        assert beside.name.endswith(".nii.gz")
        beside.touch()


def test_json_comes_back(tmp_path: Path) -> None:
    content = {"b": [1, 2.5, None], "a": "ü"}
    write_json(tmp_path / "one.json", content)
    assert read_json(tmp_path / "one.json") == content

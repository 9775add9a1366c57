"""Content is hashed once, and again as soon as a file may have changed."""

import gzip
import os
import threading
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from datasets.io import contents
from datasets.io import files as io_files
from datasets.io.contents import content_marks


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sequence[Path]:
    """The files whose content is read from now on; an empty cache, and files that are settled at once."""
    read: list[Path] = []
    original = contents._content_sha256

    def spy(path: Path) -> str:
        read.append(path)
        return original(path)

    monkeypatch.setattr(contents, "_content_sha256", spy)
    monkeypatch.setattr(io_files, "SETTLED_NS", 0)
    monkeypatch.setenv(contents.CACHE, str(tmp_path / "cache"))
    return read


def files(folder: Path, *names: str) -> list[Path]:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).write_bytes(gzip.compress(name.encode()))
    return [folder / name for name in names]


def test_a_file_is_read_once_and_its_mark_is_that_of_its_unpacked_content(
    tmp_path: Path, hashed: Sequence[Path]
) -> None:
    paths = [*files(tmp_path / "t1", "a.gz", "b.gz"), *files(tmp_path / "mask", "a.gz")]
    marks = content_marks(paths)
    assert marks == {path: sha256(path.name.encode()).hexdigest() for path in paths}
    assert content_marks([*paths, paths[0]]) == marks
    assert sorted(hashed) == sorted(paths)


def test_how_a_file_is_packed_does_not_matter_in_whatever_capitals(tmp_path: Path, hashed: Sequence[Path]) -> None:
    for name in ("a.nii.gz", "a.NII.GZ"):
        path = tmp_path / name
        path.write_bytes(gzip.compress(b"scan" * 99, 9))
        before = content_marks([path])
        path.write_bytes(gzip.compress(b"scan" * 99, 1, mtime=5))
        assert content_marks([path]) == before
    assert len(hashed) == 4


def test_a_file_is_read_again_after_a_change_that_keeps_its_size_and_time(
    tmp_path: Path, hashed: Sequence[Path]
) -> None:
    (path,) = files(tmp_path / "t1", "a.gz")
    before, facts = content_marks([path]), path.stat()
    path.write_bytes(gzip.compress(b"x.gz"))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    assert content_marks([path]) != before
    beside = path.with_name("beside")
    beside.write_bytes(gzip.compress(b"y.gz"))
    beside.replace(path)
    assert content_marks([path]) == {path: sha256(b"y.gz").hexdigest()}


def test_a_file_that_has_just_changed_is_not_remembered(
    tmp_path: Path, hashed: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(io_files, "SETTLED_NS", 3600 * 10**9)
    (path,) = files(tmp_path / "t1", "a.gz")
    assert content_marks([path]) == content_marks([path])
    assert len(hashed) == 2


def test_marks_of_files_that_are_gone_are_forgotten(tmp_path: Path, hashed: Sequence[Path]) -> None:
    first, second = files(tmp_path / "t1", "a.gz", "b.gz")
    content_marks([first])
    first.unlink()
    content_marks([second])
    (place,) = (tmp_path / "cache").rglob("*.json")
    assert "a.gz" not in place.read_text()


@pytest.mark.parametrize("damage", [b"not json", b"[]", b"{}"])
def test_a_damaged_cache_is_no_cache(tmp_path: Path, hashed: Sequence[Path], damage: bytes) -> None:
    paths = files(tmp_path / "t1", "a.gz")
    marks = content_marks(paths)
    (place,) = (tmp_path / "cache").rglob("*.json")
    place.write_bytes(damage)
    assert content_marks(paths) == marks


def test_without_a_place_to_write_to_everything_is_read_anew(
    tmp_path: Path, hashed: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv(contents.CACHE, str(tmp_path / "file"))
    paths = files(tmp_path / "t1", "a.gz")
    assert content_marks(paths) == content_marks(paths)
    assert len(hashed) == 2


def test_several_processes_may_hash_one_folder(tmp_path: Path, hashed: Sequence[Path]) -> None:
    paths = files(tmp_path / "t1", *(f"{number}.gz" for number in range(40)))
    workers = [threading.Thread(target=content_marks, args=(paths[start::3],)) for start in range(3)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    assert content_marks(paths) == {path: sha256(path.name.encode()).hexdigest() for path in paths}


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", gzip.compress(b"torn" * 99, mtime=0)[:-9], gzip.compress(b"a", mtime=0) + b"more"],
    ids=["empty", "plain", "torn", "more behind it"],
)
def test_a_file_that_cannot_be_unpacked_has_the_mark_of_its_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(content)
    marks = content_marks([path])
    path.write_bytes(content[::-1] + b"!")
    assert content_marks([path]) != marks

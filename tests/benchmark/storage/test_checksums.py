"""SHA256SUMS against coreutils, and everything that can be wrong with a folder that has one."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmark.storage.checksums import NAME, broken, write_checksums
from datasets.errors import BadFile

FILES = {"weights.bin": b"weights", "maps/one.nii.gz": b"one", "maps/deep/two.nii.gz": b"two"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Files that are listed, and some that are not: unnamed, half-written, absent."""
    for name, content in {**FILES, "notes.txt": b"", "maps/.7.half": b""}.items():
        path = tmp_path / "kept" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    write_checksums(tmp_path / "kept", ["weights.bin", "maps", "absent"])
    return tmp_path / "kept"


def listed(folder: Path) -> list[str]:
    return sorted(line[66:] for line in (folder / NAME).read_text().splitlines())


def test_what_is_named_is_listed_with_all_below_it_and_nothing_else(folder: Path) -> None:
    assert listed(folder) == sorted(FILES)
    assert broken(folder) == []


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum")
def test_coreutils_reads_it(folder: Path) -> None:
    done = subprocess.run(["sha256sum", "--check", "--strict", NAME], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.count(": OK") == len(FILES)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "got digest"),
        (lambda path: path.write_bytes(b""), "got digest"),
        (lambda path: path.unlink(), "missing"),
    ],
    ids=["another byte", "emptied", "removed"],
)
def test_each_file_that_is_not_what_it_was_is_named(
    folder: Path, name: str, damage: Callable[[Path], object], said: str
) -> None:
    damage(folder / name)
    (line,) = broken(folder)
    assert line.startswith(f"{folder / name}: ")
    assert said in line


def test_a_later_list_takes_the_place_of_the_earlier_one(folder: Path) -> None:
    write_checksums(folder, ["maps"])
    assert listed(folder) == sorted(name for name in FILES if name.startswith("maps/"))


def test_a_folder_without_a_list_has_nothing_broken(tmp_path: Path) -> None:
    assert broken(tmp_path) == []


@pytest.mark.parametrize(
    "line", ["", "abc  weights.bin", f"{'0' * 64} weights.bin", f"{'0' * 64}  ", f"{'0' * 64}  ../x"]
)
def test_a_line_that_is_no_digest_of_a_file_of_the_folder_is_refused(folder: Path, line: str) -> None:
    (folder / NAME).write_text(f"{line}\n")
    with pytest.raises(BadFile, match="got the line"):
        broken(folder)

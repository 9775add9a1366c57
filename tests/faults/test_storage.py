"""A disk that is full or may not be written: one line that says so, and the next run goes on."""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commandline import STUDY, call, refused
from studies import stamps

pytestmark = pytest.mark.usefixtures("plugin")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k"]
    mounted = subprocess.run(["mount", *options, "tmpfs", str(place)], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("nothing can be mounted here")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def remount(place: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(place)], check=True)


@pytest.fixture(scope="module")
def wanted(plugged_in: None, data: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The rows of a run that met no trouble."""
    out = tmp_path_factory.mktemp("elsewhere") / "run"
    call("run", *STUDY, "--data", data, "--out", out)
    return (out / "rows.csv").read_bytes()


def test_a_full_disk_ends_the_run_in_one_line_and_the_next_goes_on(small_disk: Path, data: Path, wanted: bytes) -> None:
    out = small_disk / "run"
    line = refused(call("run", *STUDY, "--data", data, "--out", out))
    assert line.startswith(f"Error: {out} cannot be written: No space left on device. What is done is kept")
    before = stamps(out, "maps/volunteers*")
    assert not list(out.glob("cells/*/cell.json")) or before
    remount(small_disk, "size=16m")
    assert call("run", *STUDY, "--data", data, "--out", out).exit_code == 0
    assert (out / "rows.csv").read_bytes() == wanted


def test_a_read_only_disk_is_told_in_one_line_and_what_was_there_stays(
    small_disk: Path, data: Path, wanted: bytes
) -> None:
    out = small_disk / "run"
    remount(small_disk, "size=16m")
    call("run", *STUDY, "--data", data, "--out", out)
    remount(small_disk, "ro")
    assert "Read-only file system" in refused(call("run", *STUDY, "--data", data, "--out", out, "--rerun", "all"))
    assert "Read-only file system" in refused(call("run", *STUDY, "--data", data, "--out", small_disk / "new"))
    assert call("status", out).exit_code == 0
    remount(small_disk, "rw")
    assert (out / "rows.csv").read_bytes() == wanted


@pytest.mark.parametrize("most", [300, 3000])
def test_a_limit_on_the_size_of_files_is_told_likewise(data: Path, tmp_path: Path, wanted: bytes, most: int) -> None:
    out = tmp_path / "run"
    with files_up_to(most):
        line = refused(call("run", *STUDY, "--data", data, "--out", out))
    assert "File too large" in line
    assert call("run", *STUDY, "--data", data, "--out", out).exit_code == 0
    assert (out / "rows.csv").read_bytes() == wanted


@contextmanager
def files_up_to(most: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

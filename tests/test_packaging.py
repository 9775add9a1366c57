"""A release: the sources hold all that is tracked, and a wheel made of them works away from the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UNTRACKED = {"PKG-INFO", "setup.cfg"}
NOT_RELEASED = {".gitignore", ".pre-commit-config.yaml"}
BUILD = "import sys, setuptools.build_meta as made; getattr(made, sys.argv[1])(sys.argv[2])"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout"),
]


@pytest.fixture(scope="module")
def tracked() -> set[str]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name for name in listed.splitlines() if (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def unpacked(tracked: set[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked source distribution of the tracked files."""
    folder = tmp_path_factory.mktemp("sources")
    for name in tracked:
        (folder / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / "tree" / name)
    subprocess.run([sys.executable, "-c", BUILD, "build_sdist", folder], cwd=folder / "tree", check=True)
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("uadbench-*/"))


@pytest.fixture(scope="module")
def wheel(unpacked: Path) -> Path:
    subprocess.run([sys.executable, "-c", BUILD, "build_wheel", unpacked.parent], cwd=unpacked, check=True)
    return next(unpacked.parent.glob("*.whl"))


def test_the_sources_of_a_release_hold_every_tracked_file(tracked: set[str], unpacked: Path) -> None:
    held = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file()}
    assert tracked - NOT_RELEASED - held == set()
    assert {name for name in held - tracked - UNTRACKED if not name.startswith("uadbench.egg-info/")} == set()


def test_a_wheel_holds_every_file_of_the_packages(tracked: set[str], wheel: Path) -> None:
    packages = ("baselines/", "benchmark/", "cddpm/", "datasets/", "reports/", "uadbench.py")
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in tracked if name.startswith(packages)} - held == set()
    assert not any(name.startswith(("tests/", "docs/")) for name in held)


@pytest.mark.timeout(2400)
def test_a_wheel_in_a_clean_environment_runs_the_demo_and_is_read_in_python(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "clean", with_pip=True)
    programs = tmp_path / "clean" / "bin"
    place = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "UADBENCH"))}

    def run(*command: str | Path, fails: bool = False) -> str:
        done = subprocess.run(command, cwd=tmp_path, env=place, capture_output=True, text=True)
        assert (done.returncode != 0) == fails, done.stderr
        return done.stderr if fails else done.stdout

    run(programs / "python", "-m", "pip", "install", "--constraint", ROOT / "constraints-cpu.txt", wheel)
    run(programs / "python", "-m", "pip", "check")
    assert "Open the report" in run(programs / "uadbench", "demo")
    read = "import uadbench as u; r = u.load_run('demo/run'); print(u.__file__, r.number('dae', 'phantom-glioma').mean)"
    place_of_module, mean = run(programs / "python", "-c", read).split()
    assert Path(place_of_module).is_relative_to(tmp_path / "clean")
    assert 0.1 < float(mean) <= 1
    (tmp_path / "download").mkdir()
    refused = run(programs / "python", "-m", "datasets", "prepare", "ixi", "--raw", tmp_path / "download", fails=True)
    assert "pip install 'uadbench[prepare]'" in refused

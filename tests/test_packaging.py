"""A release: the sources hold all that is tracked, and a wheel made of them works away from the checkout."""

import os
import shutil
import subprocess
import sys
import tarfile
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


def test_an_installed_wheel_runs_a_study_and_reads_it_in_python(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "installed"
    install = ["install", "--quiet", "--no-deps", "--no-index", "--target", installed, wheel]
    subprocess.run([sys.executable, "-m", "pip", *install], check=True)
    place = {**os.environ, "PYTHONPATH": str(installed)}
    study = "--methods thresh,zscore --datasets phantom-stroke --sequence t1 --preset quick --data data --out run"
    program = [sys.executable, installed / "bin" / "uadbench", "run", *study.split()]
    subprocess.run(program, cwd=tmp_path, env=place, check=True)
    read = "import uadbench as u; r = u.load_run('run'); print(u.__file__, r.number('zscore', 'phantom-stroke').mean)"
    told = subprocess.run([sys.executable, "-c", read], cwd=tmp_path, env=place, check=True, capture_output=True)
    place_of_module, mean = told.stdout.decode().split()
    assert Path(place_of_module).parent == installed
    assert 0 <= float(mean) <= 1

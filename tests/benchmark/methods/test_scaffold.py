"""`plugin new`: what it writes works as it is, before and after it is installed."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commandline import Program, refused

from benchmark.methods.scaffold import KINDS

ROOT = Path(__file__).parents[3]


def python(*arguments: object, cwd: Path, path: Path) -> str:
    """What another Python prints that has `path` and uadbench; it has to succeed."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(path), str(ROOT)]), "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def test_a_new_package_is_a_sound_method_at_once(program: Program) -> None:
    result = program("plugin", "new", "local-z")
    assert result.exit_code == 0
    file = Path("uadbench-local-z/uadbench_local_z.py")
    assert f"plugin check local-z --plugin {file}" in result.stdout
    check = program("plugin", "check", "local-z", "--plugin", file)
    assert check.exit_code == 0, check.output
    shown = json.loads(program("show", "local-z", "--plugin", file, "--json").stdout)
    assert shown["meanings"].keys() == shown["budgets"]["paper"]["config"].keys() == {"bins", "prior"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_package_passes_its_own_tests(program: Program, kind: str) -> None:
    program("plugin", "new", "rarity", "--out", "mine", "--kind", kind)
    folder = Path("mine").resolve()
    printed = python("-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", cwd=folder, path=ROOT)
    assert f"{1 + len(KINDS[kind].channels.split(','))} passed" in printed


def test_a_new_package_is_listed_once_it_is_installed(program: Program) -> None:
    program("plugin", "new", "rarity", "--out", "mine")
    here = Path.cwd()
    install = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    python(*install, "--disable-pip-version-check", "--target", here / "installed", here / "mine", cwd=here, path=here)
    known = json.loads(python("-m", "benchmark", "list", "methods", "--json", cwd=here, path=here / "installed"))
    (found,) = [one for one in known if one["name"] == "rarity"]
    assert found["origin"] == "uadbench-rarity 0.1.0"
    assert found["target"] == "uadbench_rarity:Rarity"
    assert found["title"] == "How rare a voxel's intensity is among healthy brains"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("ddpm", "Got name 'ddpm', which uadbench itself has"),
        ("mean-distance", "which uadbench-tests 1.0 has"),
        ("LocalZ", "expected lower-case letters and digits in words joined by '-'"),
        ("../escape", "expected lower-case"),
        ("a--b", "expected lower-case"),
        ("", "expected lower-case"),
        ("none", "whose class None would hide another one"),
    ],
)
@pytest.mark.usefixtures("plugin")
def test_a_name_that_cannot_be_a_methods_is_one_line(program: Program, name: str, reason: str) -> None:
    assert reason in refused(program("plugin", "new", name, "--out", "mine"))
    assert not Path("mine").exists()


def test_a_class_would_hide_nothing_that_the_module_imports(program: Program) -> None:
    program("plugin", "new", "rarity")
    tree = ast.parse(Path("uadbench-rarity/uadbench_rarity.py").read_text())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert {"Detector", "Case", "Tensor"} <= imported
    for name in filter(str.isalpha, imported):
        if name.capitalize() == name:
            assert "would hide another one" in refused(program("plugin", "new", name.lower()))


def test_a_kind_that_is_not_there_is_one_line(program: Program) -> None:
    told = refused(program("plugin", "new", "rarity", "--kind", "feature"))
    assert "Did you mean 'features'?" in told
    assert not Path("uadbench-rarity").exists()


def test_a_folder_that_exists_is_left_alone(program: Program) -> None:
    Path("mine").mkdir()
    assert "--out mine: got a folder or file that exists" in refused(
        program("plugin", "new", "rarity", "--out", "mine")
    )
    assert list(Path("mine").iterdir()) == []

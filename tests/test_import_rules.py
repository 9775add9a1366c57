"""The import rules of pyproject.toml report what they forbid; forbidden imports are planted in a copy to see it."""

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("baselines", "benchmark", "cddpm", "datasets", "reports")
LINT = (sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-cache")
BENCHMARK, DATASETS, REPORTS, BASELINES = (
    f"{title}, from top to bottom" for title in ("the benchmark's packages", "datasets", "reports", "baselines")
)
ORDER = "methods build on baselines, know no benchmark above them, and data know nobody"
PLUGINS = "a method is a plugin: of the benchmark it sees benchmark.methods only"
READERS = "reports read the run folder and its summaries, and compute nothing"
CALLERS = "only commands and benchmark.api call reports, by reports.api"
CIRCLES = "no circles, at any depth"
TORCH = "no torch but where methods are trained, mapped and measured"
PLAIN = "import {module}"
LATE = "def late() -> None:\n    import {module}"
FOR_TYPES = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import {module}"


@dataclass(frozen=True)
class Planted:
    """An import that a contract forbids, in a file of its own.

    Attributes:
        package: that the file is put into.
        module: what it imports.
        how: the file, with `{module}` in it.
    """

    contract: str
    package: str
    module: str
    how: str = PLAIN


FORBIDDEN = (
    Planted(BENCHMARK, "benchmark.statistics", "benchmark.storage"),
    Planted(BENCHMARK, "benchmark.scoring", "benchmark.inference", LATE),
    Planted(BENCHMARK, "benchmark.inference", "benchmark.scoring", FOR_TYPES),
    Planted(BENCHMARK, "benchmark.metrics", "benchmark.methods"),
    Planted(BENCHMARK, "benchmark.analysis", "benchmark.execution"),
    Planted(BENCHMARK, "benchmark.storage", "benchmark.scoring.evaluation", LATE),
    Planted(DATASETS, "datasets.io", "datasets.cohorts"),
    Planted(DATASETS, "datasets.splits", "datasets.audit", LATE),
    Planted(DATASETS, "datasets.cohorts", "datasets.commands", FOR_TYPES),
    Planted(REPORTS, "reports.model", "reports.sections"),
    Planted(REPORTS, "reports.content", "reports.model", LATE),
    Planted(BASELINES, "baselines.training", "baselines.autoencoders"),
    Planted(BASELINES, "baselines.simple", "baselines.gan", LATE),
    Planted(BASELINES, "baselines.encoders", "baselines.reconstruction"),
    Planted(ORDER, "baselines.simple", "cddpm"),
    Planted(ORDER, "benchmark.execution", "baselines.simple", LATE),
    Planted(ORDER, "datasets.splits", "benchmark.metrics", FOR_TYPES),
    Planted(PLUGINS, "baselines.simple", "benchmark.statistics.panel", "from {module} import Panel"),
    Planted(PLUGINS, "cddpm", "benchmark.metrics", LATE),
    Planted(PLUGINS, "baselines.diffusion", "benchmark.inference"),
    Planted(PLUGINS, "baselines.gan", "benchmark", "from {module} import study"),
    Planted(PLUGINS, "cddpm", "reports.figures", FOR_TYPES),
    Planted(READERS, "reports.sections", "benchmark.scoring"),
    Planted(READERS, "reports.formats", "benchmark.execution", LATE),
    Planted(READERS, "reports.model", "baselines.simple"),
    Planted(CALLERS, "benchmark.analysis", "reports.model"),
    Planted(CALLERS, "datasets.commands", "reports", LATE),
    Planted(CALLERS, "benchmark.commands", "reports.formats"),
    Planted(TORCH, "benchmark.metrics", "torch", LATE),
    Planted(TORCH, "reports.figures", "torch.nn.functional", "from torch.nn import functional"),
    Planted(TORCH, "benchmark.analysis", "lightning"),
    Planted(TORCH, "benchmark.statistics.intervals", "torch"),
    Planted(TORCH, "benchmark.study", "torchio", FOR_TYPES),
    Planted(TORCH, "benchmark.storage", "torch", LATE),
    Planted(TORCH, "benchmark.scoring", "torch"),
    Planted(TORCH, "datasets.io", "torchio", LATE),
)
UNPLACED = {BENCHMARK: "benchmark", DATASETS: "datasets", REPORTS: "reports", BASELINES: "baselines"}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their import rules, to be changed."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "web"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def broken_contracts(tree: Path) -> dict[str, str]:
    """What is said of each contract that does not hold, in one line of single blanks."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "1000"}
    result = subprocess.run(LINT, cwd=tree, env=environment, capture_output=True, text=True, check=False)
    assert "Contracts: " in result.stdout, result.stdout + result.stderr
    said = result.stdout.partition("Broken contracts")[2]
    starts = sorted((said.find(f"\n{name}\n"), name) for name in contract_names() if f"\n{name}\n" in said)
    ends = [start for start, _ in starts[1:]] + [len(said)]
    return {name: " ".join(said[start:end].split()) for (start, name), end in zip(starts, ends, strict=True)}


def contract_names() -> Sequence[str]:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return [contract["name"] for contract in rules["contracts"]]


def plant(tree: Path, package: str, name: str, text: str) -> str:
    """Write a module into a package, or its text at the end of a plain module; which module has the text now."""
    folder = tree / package.replace(".", "/")
    if not folder.is_dir():
        with folder.with_suffix(".py").open("a", encoding="utf-8") as stream:
            stream.write(f"\n{text}\n")
        return package
    (folder / f"{name}.py").write_text(f'"""Planted."""\n{text}\n', encoding="utf-8")
    return f"{package}.{name}"


def test_every_forbidden_import_is_reported_under_its_contract(copy: Path) -> None:
    wanted = []
    for number, one in enumerate(FORBIDDEN):
        module = plant(copy, one.package, f"planted_{number}", one.how.format(module=one.module))
        wanted.append((one.contract, f"{module} -> {one.module.partition('.')[0]}"))
    broken = broken_contracts(copy)
    missed = [(contract, imported) for contract, imported in wanted if imported not in broken.get(contract, "")]
    assert not missed, broken


def test_a_circle_is_reported_at_any_depth(copy: Path) -> None:
    packages = ("cddpm", "benchmark.methods.contract", "datasets.shifts")
    for package in packages:
        plant(copy, package, "planted_a", f"import {package}.planted_b")
        plant(copy, package, "planted_b", f"def late() -> None:\n    import {package}.planted_a")
    reported = broken_contracts(copy)[CIRCLES]
    assert [package for package in packages if f"No cycles are allowed in {package}." not in reported] == []


def test_a_module_that_is_in_no_layer_is_reported(copy: Path) -> None:
    for package in UNPLACED.values():
        plant(copy, package, "unplaced", "")
    broken = broken_contracts(copy)
    assert {name for name in UNPLACED if "unplaced" in broken.get(name, "")} == {*UNPLACED}


def test_every_package_of_the_distribution_is_under_the_rules() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    installed = {pattern.rstrip("*") for pattern in project["setuptools"]["packages"]["find"]["include"]}
    assert installed == {*project["importlinter"]["root_packages"]} == {*PACKAGES}


def test_every_contract_is_tried() -> None:
    assert {*contract_names()} == {one.contract for one in FORBIDDEN} | {CIRCLES} | {*UNPLACED}


def test_the_picture_of_the_packages_shows_every_import_and_no_other() -> None:
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    picture = re.search(r"```mermaid\n(.*?)```", text, flags=re.DOTALL)
    assert picture
    names = dict(re.findall(r'(\w+)\["(.+?)"\]', picture[1]))
    drawn: dict[str, set[str]] = defaultdict(set)
    for start, end in re.findall(r"(\w+) --> (\w+)", picture[1]):
        drawn[names.get(start, start)].add(names.get(end, end))
    imported = package_imports()
    assert {(a, b) for a, ends in drawn.items() for b in ends if b not in imported[a]} == set()
    assert {(a, b) for a, ends in imported.items() for b in ends if b not in led_to(drawn, a)} == set()


def package_imports() -> Mapping[str, set[str]]:
    """Which of our packages each imports; those of `benchmark` one by one."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        importer = package_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [one.name for one in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            found[importer] |= {package_of(name) for name in modules if name.partition(".")[0] in PACKAGES}
    outside = ("benchmark", "benchmark.__init__", "benchmark.__main__")  # no packages
    return {name: ends - {name, *outside} for name, ends in found.items() if name not in outside}


def package_of(module: str) -> str:
    """`benchmark.storage` of `benchmark.storage.rows`, `reports` of `reports.model.numbers`."""
    return ".".join(module.split(".")[: 2 if module.startswith("benchmark.") else 1])


def led_to(arrows: Mapping[str, set[str]], start: str) -> set[str]:
    """Every package that arrows lead to from another."""
    found: set[str] = set()
    left = [start]
    while left:
        new = arrows.get(left.pop(), set()) - found
        found |= new
        left += new
    return found

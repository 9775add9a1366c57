"""Names of pipelines and protocols stand in their definitions, and in no other code."""

import ast
from pathlib import Path

from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.study.protocols import PROTOCOLS

ROOT = Path(__file__).parents[1]
PACKAGES = ("baselines", "benchmark", "cddpm", "datasets", "reports")
DEFINITIONS = {
    "paper": {"benchmark/postprocessing/pipelines.py", "datasets/grid.py"},  # the preset of that name, too
    "light": {"benchmark/postprocessing/pipelines.py"},
    "lesion-val": {"benchmark/study/protocols.py"},
}


def test_a_name_stands_in_its_definition_alone() -> None:
    found: dict[str, set[str]] = {name: set() for name in DEFINITIONS}
    for path in (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        for name in DEFINITIONS.keys() & texts:
            found[name].add(path.relative_to(ROOT).as_posix())
    assert found == DEFINITIONS


def test_the_names_are_those_of_objects() -> None:
    assert {"paper", "light"} <= set(PIPELINES.built_in)
    assert "lesion-val" in PROTOCOLS.built_in

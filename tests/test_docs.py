"""What the documents show has to work."""

import re
from pathlib import Path

import pytest

from benchmark.registry import BUILT_IN
from benchmark.testing import check_detector
from datasets.catalog import BUILT_IN as DATASETS
from datasets.spec import DatasetSpec

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")])


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / name).read_text(), flags=re.DOTALL)


def test_the_method_of_the_tutorial_fulfils_the_contract() -> None:
    names: dict[str, object] = {}
    exec(python_blocks("adding-a-method.md")[0], names)
    detector = names["Darkness"]
    check_detector(lambda: detector(detector.Config()))  # type: ignore[attr-defined, operator]


def test_the_cohort_of_the_tutorial_is_a_spec() -> None:
    names: dict[str, object] = {}
    exec(python_blocks("adding-a-dataset.md")[0], names)
    assert isinstance(names["CLINIC"], DatasetSpec)


def test_the_readme_names_every_built_in() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in (*(method.name for method in BUILT_IN), *DATASETS):
        assert f"`{name}`" in readme


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []

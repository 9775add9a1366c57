"""What the documents show has to work."""

import re
from pathlib import Path
from typing import Any

import pytest

from benchmark.methods.contract.check import check_detector
from benchmark.methods.registry import BUILT_IN
from datasets.cohorts.catalog import COHORTS
from datasets.spec import DatasetSpec

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")])


def python_blocks(name: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs" / name).read_text(), flags=re.DOTALL)


@pytest.mark.parametrize(("block", "name", "budget"), [(0, "Darkness", {}), (1, "Bottleneck", {"steps": 3})])
def test_the_methods_of_the_tutorial_fulfil_the_contract(block: int, name: str, budget: dict[str, int]) -> None:
    names: dict[str, Any] = {}
    exec(python_blocks("adding-a-method.md")[block], names)
    detector = names[name]
    check_detector(lambda: detector(detector.Config(**{**detector.presets["quick"], **budget})))


def test_the_test_of_the_tutorial_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    method, _, test = python_blocks("adding-a-method.md")
    (tmp_path / "uadbench_darkness.py").write_text(method)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, Any] = {}
    exec(test, names)
    names["test_darkness_fulfils_the_contract"]()


def test_the_cohort_of_the_tutorial_is_a_spec() -> None:
    names: dict[str, object] = {}
    exec(python_blocks("adding-a-dataset.md")[0], names)
    assert isinstance(names["CLINIC"], DatasetSpec)


def test_every_built_in_method_and_cohort_is_documented() -> None:
    for page, names in (
        ("methods.md", [method.name for method in BUILT_IN]),
        ("adding-a-dataset.md", COHORTS.built_in),
    ):
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        assert [name for name in names if f"`{name}`" not in text] == []


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    assert [path.name for path in ROOT.glob("docs/*.md") if path.name not in navigation] == []


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"\]\((\d+[^)]+)\)", (folder / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(path.name for path in folder.glob("0*.md"))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_links_within_the_repository_lead_somewhere(path: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


def test_every_decision_says_when_it_was_taken_and_whether_it_holds() -> None:
    records = sorted((ROOT / "docs/decisions").glob("0*.md"))
    numbers = {int(path.name[:3]) for path in records}
    assert len(numbers) == len(records), "two decisions have one number"
    head = re.compile(
        r"# (\d+)\. .+\n\nDate: 20\d\d-\d\d-\d\d · Status: (accepted|superseded) · Superseded by: (none|\d+)\n\n"
    )
    for path in records:
        match = head.match(path.read_text(encoding="utf-8"))
        assert match, f"{path.name}: no line 'Date: ... · Status: ... · Superseded by: ...' below the title"
        assert int(match[1]) == int(path.name[:3])
        assert (match[2] == "superseded") == (match[3] != "none"), path.name
        assert match[3] == "none" or int(match[3]) in numbers, path.name


def test_the_page_of_the_report_names_tables_that_the_program_knows() -> None:
    text = (ROOT / "docs/report.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:RUN/)?([\w/]+\.(?:csv|json))`", text))
    code = "".join(
        path.read_text(encoding="utf-8")
        for package in ("benchmark", "datasets", "reports")
        for path in (ROOT / package).rglob("*.py")
    )
    assert {"summary.csv", "comparisons.csv", "summary.json"} <= named
    assert sorted(name for name in named if name not in code) == []


def test_the_page_of_extensions_imports_metrics_and_methods_from_their_packages() -> None:
    imports = re.findall(r"from (benchmark\.(?:metrics|methods)[\w.]*) import", "".join(python_blocks("extending.md")))
    assert set(imports) == {"benchmark.metrics", "benchmark.methods"}


def test_contributors_are_told_every_place_that_a_metric_and_a_pipeline_stand_in() -> None:
    table = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("## Where do I put")[1]
    rows = {line.split("|")[1].strip(): line.split("|")[2] for line in table.splitlines() if line.startswith("| a ")}
    metric = next(place for what, place in rows.items() if what.startswith("a metric"))
    assert all(name in metric for name in ("`benchmark/metrics/registry.py`", "`docs/metrics.md`"))
    assert "`benchmark/postprocessing/steps.py`" in rows["a step of post-processing"]
    assert "`benchmark/postprocessing/pipelines.py`" in rows["a pipeline of post-processing"]


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_file_and_module_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    ours = "baselines|benchmark|cddpm|datasets|reports"
    files = re.findall(rf"`((?:{ours}|tests|docs)/[a-z0-9_/.-]*)`", text)
    assert [name for name in files if not (ROOT / name).exists()] == []
    modules = re.findall(rf"`((?:{ours})(?:\.[a-z0-9_]+)+)(?:\.[A-Z]\w*)?`", text)
    assert [name for name in modules if not _is_module_or_in_one(name)] == []


def _is_module_or_in_one(name: str) -> bool:
    """Whether a dotted name is a package, a module, or what one of them holds."""
    place, (*package, last) = ROOT / name.replace(".", "/"), name.split(".")
    if place.is_dir() or place.with_suffix(".py").is_file():
        return True
    holder = ROOT.joinpath(*package)
    source = holder.with_suffix(".py") if holder.with_suffix(".py").is_file() else holder / "__init__.py"
    return source.is_file() and re.search(rf"\b{last}\b", source.read_text(encoding="utf-8")) is not None


def test_a_document_that_names_a_module_of_old_is_found_out() -> None:
    assert _is_module_or_in_one("datasets.spec.usable_files")
    assert not _is_module_or_in_one("benchmark.detector")

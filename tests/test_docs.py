"""What the documents show has to work."""

import doctest
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skulls import draw_head, write_template
from typer.testing import CliRunner

import benchmark.methods
import uadbench
from benchmark.commands.main import app as benchmark_program
from benchmark.methods.contract.check import check_detector
from benchmark.methods.registry import BUILT_IN
from benchmark.metrics import Metric
from benchmark.postprocessing.pipelines import Pipeline
from benchmark.postprocessing.scores import Score
from benchmark.postprocessing.steps import Step
from benchmark.study.protocols import Protocol
from datasets.__main__ import app as datasets_program
from datasets.case import Case
from datasets.cohorts.catalog import COHORTS
from datasets.grid import Grid
from datasets.io.nifti import write_volume
from datasets.shifts.shift import Shift, ShiftKind
from datasets.simulation.phantom import write_phantom
from datasets.spec import DatasetSpec

ROOT = Path(__file__).parents[1]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")])

PROGRAMS = {"benchmark": benchmark_program, "datasets": datasets_program}
SHOWN = re.compile(
    r"(?:<!-- (slow|not run: [^>]+|file: \S+) -->\n+)?^( *)```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE
)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; one of `sh` runs as it stands, unless a comment before the fence says otherwise.

    Attributes:
        note: the comment: "slow", "not run: REASON", "file: PATH" where the reader saves the block, or "" for none.
    """

    note: str
    language: str
    text: str

    @property
    def commands(self) -> list[list[str]]:
        lines = self.text.replace("\\\n", " ").splitlines()
        return [words for line in lines if (words := shlex.split(line, comments=True))]


def blocks(page: str) -> list[Block]:
    found = SHOWN.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    return [
        Block(note, language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE))
        for note, indent, language, text in found
    ]


def pages_of(*sections: str) -> list[str]:
    """The pages of these sections of the site."""
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    parts = re.findall(r"  - ([\w-]+):\n((?:      - .+\n?)+)", navigation)
    return [page for name, listed in parts if name in sections for page in re.findall(r"- (\S+\.md)", listed)]


GUIDES = pages_of("Tutorial", "How-to")
ELSEWHERE = {
    "bad-data.md": "tests/datasets/audit/test_bad_data.py",
    "extending.md": "tests/benchmark/test_extending.py",
}
"""Tests that execute the tables and the Python of a page."""


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


def call(words: list[str]) -> None:
    """Run one command of a page, in this process where it is ours."""
    if words[0] == "cd":
        os.chdir(words[1])
    elif words[0] in ("cp", "mkdir"):
        subprocess.run(words, check=True)
    else:
        assert words[:2] == ["python", "-m"], f"got {words[0]}: say 'not run: REASON' before the block"
        result = CliRunner().invoke(PROGRAMS[words[2]], words[3:])
        assert result.exit_code == 0, f"{shlex.join(words)}\n{result.output}\n{result.exception!r}"


def run_page(page: str, *, slow: bool) -> None:
    """Do what a page shows, in its order, in the current folder."""
    names: dict[str, Any] = {}
    for block in blocks(page):
        if block.note.startswith("file: "):
            path = Path(block.note.removeprefix("file: "))
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        elif block.language == "sh" and (block.note == "" or (block.note == "slow" and slow)):
            for words in block.commands:
                call(words)
        elif block.language == "python" and page == "first-steps.md":
            exec(block.text, names)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a reader who has done the first steps, on fewer brains, and has a download and the examples."""
    folder = tmp_path_factory.mktemp("reader")
    write_phantom(folder / "data", healthy=6, lesion=0, spacing=4)
    write_phantom(folder / "data", variant="glioma", lesion=6, spacing=4)
    shutil.copytree(ROOT / "examples", folder / "examples")
    write_download(folder / "DOWNLOAD")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("UADBENCH_DATA", raising=False)
        patch.setenv("UADBENCH_TEMPLATE", str(write_template(folder)))
        run_page("first-steps.md", slow=False)
        yield folder


def write_download(folder: Path) -> None:
    """Two patients as BraTS is published, simulated."""
    for at, name in enumerate(("BraTS2021_00001", "BraTS2021_00002")):
        head = draw_head(10 + at)
        write_volume(folder / name / f"{name}_t1.nii.gz", head.stripped, np.float32)
        write_volume(folder / name / f"{name}_seg.nii.gz", head.lesion_mask)


@pytest.fixture
def there(reader: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the reader's folder, for one page to change."""
    folder = Path(shutil.copytree(reader, tmp_path / "reader"))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("page", [page for page in GUIDES if page not in ELSEWHERE])
@pytest.mark.usefixtures("there")
def test_what_a_guide_shows_runs(page: str) -> None:
    run_page(page, slow=False)


PUBLIC = [
    *(getattr(uadbench, name) for name in uadbench.__all__ if name != "__version__"),
    *(getattr(benchmark.methods, name) for name in benchmark.methods.__all__),
    *(Case, DatasetSpec, Grid, Metric, Pipeline, Protocol, Score, Shift, ShiftKind, Step),
]


@pytest.mark.usefixtures("there")
@pytest.mark.parametrize("thing", PUBLIC, ids=lambda thing: thing.__name__)
def test_a_public_thing_has_an_example_that_runs(thing: Any) -> None:
    (found,) = doctest.DocTestFinder(recurse=False).find(thing, thing.__name__)
    assert found.examples
    assert not doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found).failed


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("page", [page for page in GUIDES if any(block.note == "slow" for block in blocks(page))])
@pytest.mark.usefixtures("there")
def test_what_a_guide_shows_runs_to_the_end(page: str) -> None:
    run_page(page, slow=True)


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (page, block.note.removeprefix("not run: "))
        for page in GUIDES
        for block in blocks(page)
        if block.note.startswith("not run")
    ],
)
def test_what_a_guide_shows_but_no_test_can_run(page: str, reason: str) -> None:
    pytest.skip(f"{page}: {reason}")


@pytest.mark.parametrize("page", GUIDES)
def test_every_command_of_a_guide_stands_in_a_block_that_runs(page: str) -> None:
    shown = [block for block in blocks(page) if block.language != "sh"]
    assert [block.text for block in shown if re.search(r"^(python -m|uadbench) ", block.text, re.MULTILINE)] == []
    if page in ELSEWHERE:
        assert f"{page}" in (ROOT / ELSEWHERE[page]).read_text(encoding="utf-8")
    else:
        assert any(block.language == "sh" and not block.note.startswith("not run") for block in blocks(page))


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_every_command_that_a_document_names_has_these_options(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    named = re.findall(r"`(python -m (?:benchmark|datasets) [^`]+)`", text)
    for block in re.findall(r"```\w*\n(.*?)```", text, flags=re.DOTALL):
        named += re.findall(r"^ *((?:python -m (?:benchmark|datasets)|uadbench) .+)$", block, flags=re.MULTILINE)
    whole = [line for line in named if not re.search(r"\.\.\.|\[-|\$|\{| \| |COMMAND", line)]
    assert {line: wrong for line in whole if (wrong := _why_refused(line))} == {}


def _why_refused(line: str) -> str:
    """What the program says of a command or an option that it does not have; "" where it has them all."""
    words = shlex.split(line, comments=True)
    name, *arguments = ["benchmark", *words[1:]] if words[0] == "uadbench" else words[2:]
    result = CliRunner().invoke(PROGRAMS[name], [*arguments, "--help"])
    return "" if result.exit_code == 0 else result.output


def test_a_command_with_an_option_that_there_is_not_is_found_out() -> None:
    assert _why_refused("python -m benchmark run --nope 1")
    assert _why_refused("uadbench predct scan.nii.gz")
    assert not _why_refused("python -m datasets prepare ixi --raw DOWNLOAD")

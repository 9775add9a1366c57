"""What a plugin declares wrongly is refused in one line, and costs only itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from commandline import Program

from benchmark.methods.registry import in_file, load, method
from benchmark.metrics.registry import METRICS
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.study.protocols import PROTOCOLS
from datasets.errors import BadValue
from datasets.registry import Registry
from datasets.shifts.registry import SHIFTS

REGISTRIES: dict[str, Registry[Any]] = {
    "metrics": METRICS,
    "postprocessing": PIPELINES,
    "protocols": PROTOCOLS,
    "shifts": SHIFTS,
}
MODULE = """
from dataclasses import replace
from benchmark.metrics.metric import Metric
from benchmark.postprocessing.pipelines import Pipeline
from benchmark.postprocessing.steps import Step
from benchmark.study.protocols import Protocol

def number(case):
    "a number"
    return 1.0

def same(brain_map):
    return brain_map

def metric(takes="prediction", cases="all", **changed):
    return Metric("odd", "Odd", number, takes, True, "brain", cases, **changed)

def protocol(**changed):
    return replace(Protocol("odd", "odd", "lesion-val", "odd", lambda evidence: 0.5, "odd"), **changed)

ODD = {source}
"""
MISDECLARED = [
    ("protocols", "protocol(uses=['x'])", "cannot be used: TypeError"),
    ("protocols", "protocol(uses='lesions')", "got uses 'lesions'"),
    ("postprocessing", "Pipeline('odd', 'odd', None)", "cannot be used: TypeError"),
    ("postprocessing", "Pipeline('odd', 'odd', ('median',))", "got 'median' among the steps"),
    ("postprocessing", "Pipeline('odd', 'odd', (Step('s', 's', same, stage='maps'),))", "got stage 'maps' of step 's'"),
    ("metrics", "metric('predictions')", "got takes='predictions'"),
    ("metrics", "metric(cases='lesions')", "cases='lesions' of 'prediction'"),
    ("metrics", "metric('pool', 'lesion', per='cohort')", "cases='lesion' of 'pool'"),
    ("metrics", "metric('curve')", "got per='case'"),
    ("metrics", "metric(per='cohort')", "got per='cohort'"),
    ("metrics", "metric('ranking', 'implanted')", "cases='implanted' of 'ranking'"),
    ("metrics", "metric('reconstruction', 'lesion')", "cases='lesion' of 'reconstruction'"),
]


def install(site: Path, kind: str, source: str, name: str = "odd") -> None:
    """An installed distribution, as far as Python can tell, of one object that this source makes."""
    metadata = site / "odd_package-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: odd-package\nVersion: 1.0\nSummary: Odd\n")
    module = f"odd_package_{abs(hash((kind, source, name)))}"
    (metadata / "entry_points.txt").write_text(f"[uadbench.{kind}]\n{name} = {module}:ODD\n")
    (site / f"{module}.py").write_text(MODULE.replace("{source}", source))


@pytest.mark.parametrize(("kind", "source", "message"), MISDECLARED)
def test_what_is_misdeclared_is_listed_as_broken_in_one_line(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, source: str, message: str
) -> None:
    install(tmp_path / "site", kind, source)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(BadValue) as refused:
        REGISTRIES[kind]["odd"]
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "odd" not in REGISTRIES[kind].usable()
    (listed,) = [one for one in json.loads(program("list", kind, "--json").stdout) if one["name"] == "odd"]
    assert "BROKEN" in listed["title"]


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("postprocessing", "light-no-median", "a name that is reserved"),
        ("protocols", "one-alarm", "a name that is reserved"),
        ("protocols", "transfer:clinic", "expected letters"),
        ("protocols", "odd@shifted", "expected letters"),
        ("shifts", "none", "a name that is reserved"),
        ("shifts", "dimmed+match", "expected letters"),
        ("metrics", "dice,ap", "expected letters"),
        ("metrics", "a/b", "expected letters"),
        ("metrics", "a|b", "expected letters"),
        ("postprocessing", "two words", "expected letters"),
    ],
)
def test_a_name_that_means_something_else_is_refused_before_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, name: str, message: str
) -> None:
    install(tmp_path / "site", kind, "1 / 0", name)
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(BadValue, match=message):
        REGISTRIES[kind][name]
    assert name not in REGISTRIES[kind].usable()


def test_no_method_is_called_as_the_ground_truth_is_in_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path / "site", "methods", "1 / 0", "perfect-map")
    monkeypatch.syspath_prepend(tmp_path / "site")
    with pytest.raises(BadValue, match="Method 'perfect-map': got a name that is reserved"):
        load(method("perfect-map"))
    file = tmp_path / "perfect.py"
    file.write_text('from baselines.simple.edge import Edge\n\nMETHODS = {"perfect-map": Edge}\n')
    with pytest.raises(BadValue, match="method 'perfect-map': got a name that is reserved"):
        in_file(file)

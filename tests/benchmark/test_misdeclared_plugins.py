"""What a plugin declares wrongly is refused in one line, and costs only itself."""

import json
from pathlib import Path

import pytest
from commandline import Program

from benchmark.metrics.registry import METRICS
from benchmark.postprocessing.pipelines import PIPELINES
from benchmark.study.protocols import PROTOCOLS
from datasets.errors import BadValue

REGISTRIES = {"metrics": METRICS, "postprocessing": PIPELINES, "protocols": PROTOCOLS}
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

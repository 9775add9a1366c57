"""What is imported when: torch only where maps are made, and our `datasets` under that name."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from implant_runs import Made
from runs_by_hand import write_run

import datasets

ROOT = Path(__file__).parents[1]

# Fails where torch is imported; run as `python -c GUARDED program arguments`.
GUARDED = """
import runpy, sys
class Guard:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "lightning", "torchio"}:
            raise AssertionError(f"{name} is imported")
sys.meta_path.insert(0, Guard())
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


def python(*arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("list", "methods"),
        ("list", "datasets", "--json"),
        ("list", "metrics"),
        ("list", "protocols"),
        ("list", "postprocessing"),
        ("list", "shifts"),
        ("list", "sections"),
        ("list", "formats"),
        ("run", "--help"),
        ("report", "--help"),
        ("evaluate", "--help"),
        ("compare", "--help"),
        ("multiverse", "--help"),
        ("calibrate", "--help"),
        ("predict", "--help"),
        ("speed", "--help"),
    ],
    ids=" ".join,
)
def test_what_runs_no_network_imports_no_torch(arguments: tuple[str, ...]) -> None:
    result = python("-c", GUARDED, "benchmark", *arguments)
    assert result.returncode == 0, result.stderr
    assert result.stdout


@pytest.mark.parametrize(
    "arguments", [("report", "--pictures="), ("compare", "good", "bad"), ("multiverse",)], ids=lambda words: words[0]
)
def test_reading_a_finished_run_imports_no_torch(
    arguments: tuple[str, ...], tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    command, *rest = arguments
    run = write_run(tmp_path / "run").root
    result = python("-c", GUARDED, "benchmark", command, str(run), *rest, environment=elsewhere)
    assert result.returncode == 0, result.stderr


def test_scoring_kept_maps_anew_imports_no_torch(
    made_of_implants: Made, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    run = tmp_path / "run"
    shutil.copytree(made_of_implants.run.root, run)
    metadata = tmp_path / "heads-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: heads\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[uadbench.datasets]\nheads = heads:HEADS\n")
    environment = {**elsewhere, "PYTHONPATH": os.pathsep.join((str(tmp_path), elsewhere["PYTHONPATH"]))}
    data = str(made_of_implants.data)
    result = python("-c", GUARDED, "benchmark", "evaluate", str(run), "--data", data, environment=environment)
    assert result.returncode == 0, result.stderr


def test_an_audit_imports_no_torch(tmp_path: Path) -> None:
    table = tmp_path / "splits.csv"
    table.write_text("split,case_id\ntrain,a\ntest,b\n")
    result = python("-c", GUARDED, "datasets", "audit", "--splits", str(table))
    assert result.returncode == 0, result.stderr
    assert "0 errors" in result.stdout


@pytest.mark.parametrize(
    "modules",
    [
        "benchmark, benchmark.commands.main, datasets.cohorts.catalog",
        "benchmark.execution.score_cells, benchmark.scoring.evaluation, benchmark.storage.rows",
        "reports.api",
        "benchmark.storage.admission, datasets.audit.cohorts, datasets.commands.audit",
        "benchmark.analysis.compare_methods, benchmark.analysis.multiverse, benchmark.analysis.calibration",
    ],
)
def test_importing_what_reads_maps_and_rows_imports_no_torch(modules: str) -> None:
    code = f"import sys, {modules}; sys.exit(','.join({{'torch', 'lightning', 'torchio'}} & set(sys.modules)) or 0)"
    result = python("-c", code)
    assert result.returncode == 0, result.stderr


def test_the_guard_sees_torch() -> None:
    result = python("-c", GUARDED, "benchmark.inference.predict")
    assert "torch is imported" in result.stderr


def test_our_datasets_is_the_one_imported() -> None:
    assert Path(datasets.__file__).parent == ROOT / "datasets"

"""A newcomer's first minute: the bare program, the demo, and another package that takes our import name."""

import os
import shlex
import shutil
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from commandline import Program
from typer.testing import CliRunner

import benchmark
from benchmark.commands import demo
from benchmark.commands.main import FIRST_LINES
from benchmark.commands.main import app as benchmark_program
from benchmark.methods.registry import BUILT_IN, Method, load
from datasets.__main__ import app as datasets_program

PROGRAMS = {"benchmark": benchmark_program, "datasets": datasets_program}


def test_the_bare_program_shows_five_lines_that_parse(program: Program) -> None:
    lines = program().stdout.splitlines()
    pasted = [shlex.split(line, comments=True) for line in lines if line.startswith("python -m")]
    assert len(pasted) == 5
    for _, _, name, *arguments in pasted:
        result = CliRunner().invoke(PROGRAMS[name], [*arguments, "--help"])  # which is read after the other options
        assert result.exit_code == 0, result.output
    assert "--help" in lines[-1]
    assert FIRST_LINES.splitlines() == lines


@pytest.mark.slow
def test_the_demo_ranks_and_ends_with_the_report_and_the_verdict(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "HEALTHY", 6)
    monkeypatch.setattr(demo, "PATIENTS", 12)
    monkeypatch.setitem(demo.STUDY, "methods", "thresh,zscore")
    first = program("demo", "--out", tmp_path / "demo")
    assert first.exit_code == 0, first.output
    *_, opened, mapped, verdict = first.stdout.splitlines()
    page = tmp_path / "demo" / "run" / "report.html"
    assert page.is_file()
    assert page.as_uri() in opened
    assert "zscore has the best mean" in verdict or "zscore leads" in verdict
    scan = shlex.split(mapped.partition(": ")[2])[-2]
    assert Path(scan).is_file()
    again = program("demo", "--out", tmp_path / "demo")
    assert "fitting" not in again.stdout
    assert again.stdout.splitlines()[-1] == verdict


@pytest.mark.parametrize("method", BUILT_IN, ids=lambda one: one.name)
def test_what_a_method_is_listed_to_need_is_what_its_class_says(method: Method) -> None:
    cls = load(method)
    supervision = {"lesion masks of other patients": "lesion labels"}.get(method.needs, "healthy scans")
    assert cls.card.supervision == ("none" if method.needs == "nothing" else supervision)


def test_another_package_called_datasets_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert benchmark.other_datasets() == ("", False)
    monkeypatch.setattr(benchmark, "version", lambda name: "4.0.0")
    told, lost = benchmark.other_datasets()
    assert "(4.0.0) is installed beside" in told
    assert not lost
    other = ModuleSpec("datasets", None, is_package=True)
    other.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(benchmark, "find_spec", lambda name: other)
    told, lost = benchmark.other_datasets()
    assert str(tmp_path) in told
    assert lost


def test_another_package_installed_over_ours_is_named_before_anything_of_it_is_imported(tmp_path: Path) -> None:
    shutil.copytree(Path(benchmark.__file__).parent, tmp_path / "benchmark")
    shutil.copy2(Path(benchmark.__file__).parents[1] / "uadbench.py", tmp_path)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "__init__.py").write_text("raise RuntimeError('imported')\n")
    for call in (("-m", "benchmark", "list", "methods"), ("-c", "import uadbench")):
        done = subprocess.run(
            [sys.executable, *call], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True
        )
        assert done.returncode != 0
        assert b"installed over uadbench's own" in done.stderr.splitlines()[-1]

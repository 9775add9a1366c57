"""`report` at the command line: summaries are made on the way, and an earlier run can be named."""

import shutil
import subprocess
from pathlib import Path

import pytest
from runs_by_hand import write_run
from typer.testing import CliRunner

from benchmark.commands.main import app
from benchmark.storage.folder import RunFolder
from reports import unchanged

pytestmark = pytest.mark.usefixtures("plugin")
FEW = {"good": 0.45, "bad": 0.3}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return write_run(tmp_path / "run", seeds=(0,), means=FEW)


def test_report_makes_the_summaries_and_says_what_changed(run: RunFolder, tmp_path: Path) -> None:
    earlier = write_run(tmp_path / "earlier", seeds=(0,), means={"good": 0.4})
    result = CliRunner().invoke(app, ["report", str(run.root), "--pictures", "", "--since", str(earlier.root)])
    assert result.exit_code == 0, result.output
    report = (run.root / "report.md").read_text(encoding="utf-8")
    assert "### Since earlier" in report
    assert "Training seeds: 1." in report
    assert (run.root / "summary.csv").is_file()


def test_an_earlier_run_that_is_none_is_refused_in_one_line(run: RunFolder, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["report", str(run.root), "--since", str(tmp_path / "nowhere")])
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert "nowhere" in result.stderr


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_compiles_with_booktabs(run: RunFolder, tmp_path: Path) -> None:
    CliRunner().invoke(app, ["report", str(run.root), "--pictures", "", "--format", "latex"])
    whole = tmp_path / "whole.tex"
    lines = [r"\documentclass{article}", r"\usepackage{booktabs}", r"\begin{document}", r"\input{run/report}"]
    whole.write_text("\n".join([*lines, r"\end{document}"]), encoding="utf-8")
    command = ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", whole.name]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


def _told(run: RunFolder, *options: str) -> str:
    result = CliRunner().invoke(app, ["report", str(run.root), *options])
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_report_is_written_again_where_anything_that_it_is_made_of_has_changed(
    run: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report, known = run.root / "report.md", f"Report: {run.root / 'report.md'} (unchanged)"
    anew = known.removesuffix(" (unchanged)")
    assert [_told(run, "--pictures", ""), _told(run)] == [anew, known]
    whole, written = report.read_bytes(), report.stat().st_mtime_ns
    assert [_told(run), report.stat().st_mtime_ns] == [known, written]

    report.write_bytes(whole + b"!")
    assert [_told(run), report.read_bytes(), _told(run)] == [anew, whole, known]
    (figure, *_) = sorted((run.root / "figures").iterdir())
    figure.unlink()
    assert [_told(run), figure.is_file(), _told(run)] == [anew, True, known]
    (run.root / ".reports.json").write_text("{")
    assert [_told(run), _told(run)] == [anew, known]
    (run.root / "cells" / "new").mkdir(parents=True)
    (run.root / "cells" / "new" / "map.nii.gz").write_bytes(b"")
    assert [_told(run), _told(run)] == [anew, known]
    assert [_told(run, "--pictures", "all"), _told(run, "--pictures", "all")] == [anew, known]
    assert [_told(run, "--data", str(tmp_path)), _told(run, "--data", str(tmp_path))] == [anew, known]
    assert [_told(run, "--format", "md,csv"), _told(run, "--format", "csv")] == [
        f"{anew}\nReport: {run.root / 'tables.csv'}",
        f"Report: {run.root / 'tables.csv'} (unchanged)",
    ]
    monkeypatch.setattr(unchanged, "PROGRAM", tmp_path)
    assert [_told(run), _told(run)] == [anew, known]

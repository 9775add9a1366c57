"""The slurm executor: what is submitted, and on a real cluster where there is one, that the same rows come out."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from commandline import STUDY, Program, refused
from studies import Runner

from benchmark.execution import slurm
from benchmark.execution.resources import Execution
from benchmark.storage.folder import create_run
from datasets.io.atomic import read_json

needs_cluster = pytest.mark.skipif(
    shutil.which("sbatch") is None or "SLURM_CONF" not in os.environ, reason="needs sbatch and SLURM_CONF"
)


@pytest.fixture
def sbatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of commands in which sbatch counts from 7."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "sbatch"
    program.write_text(
        f'#!/bin/sh\nn=$(cat "{folder}/n" 2>/dev/null || echo 6)\nn=$((n + 1))\necho $n > "{folder}/n"\necho $n\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def test_fits_come_before_cells_and_the_report_after_both(sbatch: Path, tmp_path: Path) -> None:
    run = create_run(tmp_path / "run")
    execution = Execution("slurm", workers=3, threads=4)
    jobs = slurm.submit(run, tmp_path, execution, ["gres=gpu:1", "time=1:00:00"], fits=2, cells=40, mend=False)
    assert [(job.id, job.what, job.tasks) for job in jobs] == [("7", "fits", 2), ("8", "cells", 3), ("9", "report", 1)]
    assert slurm.submitted(run) == jobs
    fits, cells, report = ((run.root / ".slurm" / f"{job.what}.sh").read_text() for job in jobs)
    for line in ("--array=0-1", "--gres=gpu:1", "--time=1:00:00", "--signal=B:TERM@60"):
        assert f"#SBATCH {line}\n" in fits
    assert "--dependency" not in fits
    assert fits.rstrip().endswith("--only-fits")
    assert "#SBATCH --dependency=afterany:7\n" in cells
    assert "--threads 4" in cells
    assert "#SBATCH --dependency=afterany:7:8\n" in report
    assert "--gres" not in report


@pytest.mark.parametrize("option", ["partition", "=gpu", "a b=c", "time=1\n#SBATCH --x=1"])
def test_options_of_another_form_are_refused(sbatch: Path, tmp_path: Path, option: str) -> None:
    with pytest.raises(ValueError, match="expected an option of sbatch"):
        slurm.submit(create_run(tmp_path / "run"), tmp_path, Execution("slurm"), [option], fits=1, cells=1, mend=False)


@pytest.mark.usefixtures("plugin", "sbatch")
def test_jobs_and_later_reports_show_no_scan_where_the_run_was_told_to_show_none(
    program: Program, data: Path, tmp_path: Path
) -> None:
    out, little = tmp_path / "run", ("--postprocessing", "light", "--protocols", "lesion-val", "--limit", "1")
    assert program("run", *STUDY, *little, "--data", data, "--out", out, "--executor", "slurm").exit_code == 0
    for command in (["work", out], ["work", out, "--only-report"]):
        assert program(*command).exit_code == 0
    assert read_json(out / "study.json")["pictures"] == []
    assert not list(out.glob("figures/gallery-*"))
    assert "asked to show no scan of this cohort" in (out / "report.md").read_text()


@pytest.mark.usefixtures("plugin")
def test_without_slurm_the_command_says_what_is_not_there(
    program: Program, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    line = refused(program("run", *STUDY, "--data", data, "--out", tmp_path / "run", "--executor", "slurm"))
    assert "No sbatch on this machine" in line


@pytest.mark.usefixtures("plugin")
@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--workers", "2"], "--workers: got --executor inline"),
        (["--time-limit", "2"], "--time-limit: got --executor inline"),
        (["--slurm", "a=b"], "--slurm: got --executor inline, expected slurm"),
        (["--executor", "slurm", "--time-limit", "2"], "give the jobs' limit as --slurm time"),
        (["--executor", "dask"], "--dask: got nothing, expected the address"),
        (["--dask", "tcp://here:1"], "--dask: got --executor inline, expected the address"),
        (["--executor", "dask", "--dask", "tcp://here:1", "--time-limit", "2"], "--time-limit: got --executor dask"),
        (["--executor", "cloud"], "No value of --executor called 'cloud'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    program: Program, data: Path, options: list[str], text: str
) -> None:
    assert text in refused(program("run", *STUDY, "--data", data, *options))


@pytest.mark.usefixtures("plugin", "no_report")
@pytest.mark.parametrize(
    ("says", "line"),
    [
        ("slurm_load_jobs error: Invalid job id specified", "3 SLURM jobs, all of them ended."),
        (
            "fatal: no configuration",
            "3 SLURM jobs: squeue does not answer: squeue: fatal: no configuration. Call this ",
        ),
    ],
)
def test_jobs_that_cannot_be_asked_for_have_not_ended(
    says: str, line: str, program: Program, sbatch: Path, data: Path, tmp_path: Path
) -> None:
    """squeue fails, too, once it has forgotten jobs that ended long ago."""
    study = Runner(data, tmp_path / "run")
    study.run()
    slurm.submit(study.folder, tmp_path, Execution("slurm"), [], fits=1, cells=1, mend=False)
    (sbatch / "squeue").write_text(f'#!/bin/sh\necho "squeue: {says}" >&2\nexit 1\n')
    (sbatch / "squeue").chmod(0o755)
    assert program("status", study.out).stdout.splitlines()[-1].startswith(line)


@needs_cluster
@pytest.mark.slurm
@pytest.mark.timeout(600)
def test_a_cluster_comes_to_the_same_rows_bit_for_bit(data: Path, tmp_path: Path, elsewhere: dict[str, str]) -> None:
    command = [sys.executable, "-m", "benchmark", "run", "--preset", "quick", "--data", str(data), "--pictures", ""]
    command += ["--methods", "mean-distance,noisy", "--datasets", "patients,inpatients", "--out"]
    jobs = ["--executor", "slurm", "--workers", "2", "--slurm", "time=0:10:00"]
    subprocess.run([*command, "inline"], cwd=tmp_path, env=elsewhere, check=True, capture_output=True)
    subprocess.run([*command, "cluster", *jobs], cwd=tmp_path, env=elsewhere, check=True, capture_output=True)
    wait_for_end(tmp_path / "cluster")
    assert (tmp_path / "cluster" / "rows.csv").read_bytes() == (tmp_path / "inline" / "rows.csv").read_bytes()
    assert (tmp_path / "cluster" / "report.md").exists()


@needs_cluster
@pytest.mark.slurm
@pytest.mark.timeout(600)
def test_jobs_are_cancelled_and_the_rest_is_done_by_the_next_run(
    data: Path, tmp_path: Path, elsewhere: dict[str, str]
) -> None:
    hold = tmp_path / "hold"
    hold.touch()
    benchmark = [sys.executable, "-m", "benchmark"]
    command = [*benchmark, "run", "--preset", "quick", "--data", str(data), "--pictures", "", "--out", "cluster"]
    command += ["--methods", f"held[file='{hold}']", "--datasets", "patients"]
    jobs = ["--executor", "slurm", "--workers", "1"]
    subprocess.run([*command, *jobs], cwd=tmp_path, env=elsewhere, check=True, capture_output=True)
    while not list(tmp_path.glob("cluster/cells/*/maps/patients-*")):
        time.sleep(0.2)
    told = subprocess.run(
        [*benchmark, "status", "cluster"], cwd=tmp_path, env=elsewhere, check=True, capture_output=True, text=True
    )
    assert "running  held" in told.stdout
    assert "(cells): 1 RUNNING" in told.stdout
    subprocess.run([*benchmark, "cancel", "cluster"], cwd=tmp_path, env=elsewhere, check=True, capture_output=True)
    wait_for_end(tmp_path / "cluster")
    assert "Ended by SIGTERM" in "".join(path.read_text() for path in tmp_path.glob("cluster/.slurm/cells-*.log"))
    hold.unlink()
    subprocess.run(command, cwd=tmp_path, env=elsewhere, check=True, capture_output=True)
    assert {row["dataset"] for row in Runner(data, tmp_path / "cluster").rows()} == {"volunteers", "patients"}


def wait_for_end(out: Path) -> None:
    jobs = slurm.submitted(create_run(out))
    assert jobs
    while slurm.states(jobs):
        time.sleep(0.5)

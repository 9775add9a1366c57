"""The slurm executor: job arrays for fits, then for cells, then a job for the report; their states and cancellation.

Plain sbatch, squeue and scancel: each job is the command line of a worker, nothing is pickled, and results are read
from the run folder.
"""

import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.execution.resources import Execution, worker_command
from benchmark.storage.folder import RunFolder
from datasets.errors import BadValue, MissingData
from datasets.io.atomic import read_json, write_json

FOLDER, JOBS = ".slurm", "jobs.json"
FORGOTTEN = "Invalid job id"  # what squeue fails with once all of some jobs ended long ago
TO_SAVE = "B:TERM@60"  # SIGTERM to the worker a minute before its time is up


@dataclass(frozen=True)
class SlurmJob:
    """A submitted job.

    Attributes:
        what: fits, cells or report.
        tasks: of the array; 1 for a job that is none.
    """

    id: str
    what: str
    tasks: int


def submit(
    run: RunFolder, data: Path, execution: Execution, options: Sequence[str], *, fits: int, cells: int, mend: bool
) -> list[SlurmJob]:
    """Submit what is left of a run: an array of fits, an array of the rest that starts after it, and a report.

    Args:
        options: of sbatch, each `name=value`, e.g. `partition=gpu` or `gres=gpu:1`.
        fits, cells: how many are left; an array has no more tasks than that, nor than `workers`.

    Raises:
        BadValue: an option is not of this form, or sbatch refuses it.
        MissingData: there is no sbatch here.
    """
    resources = [_option(text) for text in options]
    jobs = list[SlurmJob]()
    stages = (("fits", fits, True), ("cells", cells, False))
    for what, tasks, only_fits in stages:
        if tasks:
            tasks = min(tasks, execution.workers or tasks)
            command = worker_command(execution, run.root, data, mend=mend, only_fits=only_fits)
            directives = [*resources, f"--array=0-{tasks - 1}", f"--signal={TO_SAVE}"]
            jobs.append(SlurmJob(_sbatch(run, what, command, directives, jobs), what, tasks))
    report = [sys.executable, "-m", "benchmark", "work", str(run.root.resolve()), "--data", str(data.resolve())]
    report.append("--only-report")
    jobs.append(SlurmJob(_sbatch(run, "report", report, _modest(resources), jobs), "report", 1))
    _keep(run, jobs)
    return jobs


def submitted(run: RunFolder) -> list[SlurmJob]:
    """All jobs ever submitted for a run, the latest last."""
    path = run.root / FOLDER / JOBS
    return [SlurmJob(**one) for one in read_json(path)["jobs"]] if path.exists() else []


def states(jobs: Sequence[SlurmJob]) -> Mapping[str, str]:
    """The states of the tasks of each job, as text, e.g. `2 RUNNING, 1 PENDING`; without jobs that have ended.

    Raises:
        MissingData: there is no squeue here, or it does not answer.
    """
    ids = ",".join(job.id for job in jobs)
    told = _called(
        ["squeue", "--noheader", "--array", "--format=%A %F %T", f"--jobs={ids}"], refusal=None, forgiven=FORGOTTEN
    )
    counts: dict[str, dict[str, int]] = {}
    for line in told.splitlines():
        own, array, state = line.split()
        of_job = counts.setdefault(array if array in ids.split(",") else own, {})
        of_job[state] = of_job.get(state, 0) + 1
    return {job: ", ".join(f"{count} {state}" for state, count in found.items()) for job, found in counts.items()}


def cancel(jobs: Sequence[SlurmJob]) -> None:
    """Cancel jobs that have not ended; running fits are saved.

    Raises:
        MissingData: there is no scancel here.
    """
    # SIGTERM to the worker itself first: scancel alone would kill it seconds later, before it has saved its fit.
    ids = [job.id for job in jobs]
    _called(["scancel", "--quiet", "--state=PENDING", *ids], refusal=None)
    _called(["scancel", "--quiet", "--batch", "--signal=TERM", *ids], refusal=None)


def _option(text: str) -> str:
    name, equals, value = text.strip().partition("=")
    if not (name.replace("-", "").isalnum() and equals and value) or "\n" in text:
        raise BadValue(f"--slurm: got '{text}', expected an option of sbatch as NAME=VALUE, e.g. partition=gpu.")
    return f"--{name}={value}"


def _modest(resources: Sequence[str]) -> list[str]:
    """Without the GPUs, which a report does not need."""
    return [one for one in resources if not one.startswith(("--gres", "--gpus"))]


def _sbatch(
    run: RunFolder, what: str, command: Sequence[str], directives: Sequence[str], before: Sequence[SlurmJob]
) -> str:
    """Submit a job that starts when those `before` have ended in any way; returns its id."""
    folder = run.root.resolve() / FOLDER
    folder.mkdir(exist_ok=True)
    after = [f"--dependency=afterany:{':'.join(job.id for job in before)}"] if before else []
    log = "%A_%a" if any(one.startswith("--array") for one in directives) else "%j"
    lines = [f"--job-name=uadbench-{what}", f"--output={folder}/{what}-{log}.log", *after, *directives]
    script = "\n".join(["#!/bin/sh", *(f"#SBATCH {line}" for line in lines), f"exec {shlex.join(command)}", ""])
    (folder / f"{what}.sh").write_text(script, encoding="utf-8")
    return _called(["sbatch", "--parsable", str(folder / f"{what}.sh")], refusal="--slurm").strip().partition(";")[0]


def _keep(run: RunFolder, jobs: Sequence[SlurmJob]) -> None:
    content = [vars(job) for job in (*submitted(run), *jobs)]
    write_json(run.root / FOLDER / JOBS, {"jobs": content})


def _called(command: Sequence[str], *, refusal: str | None, forgiven: str | None = None) -> str:
    """The output of a command of SLURM.

    Args:
        forgiven: the only failure that does not matter, by a part of what is said of it; None if none matters.

    Raises:
        MissingData: the command is not installed here, or failed otherwise.
        BadValue: it failed, and `refusal` names the option to blame.
    """
    if shutil.which(command[0]) is None:
        raise MissingData(f"No {command[0]} on this machine, expected SLURM's: call this where jobs are submitted.")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    told = " ".join(done.stderr.split())
    if done.returncode and refusal is not None:
        raise BadValue(f"{refusal}: {command[0]} says: {told}")
    if done.returncode and forgiven is not None and forgiven not in told:
        raise MissingData(f"{command[0]} does not answer: {told}. Call this where jobs are submitted.")
    return done.stdout

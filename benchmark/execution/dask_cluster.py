"""The dask executor: processes that share the tasks of a run, started by the workers of a dask cluster.

Whatever scheduler that cluster lives on does the same tasks as any other executor: nothing of a study is pickled, each
process is the command line of a worker, and results are read from the run folder.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmark.execution.job import Job, finish, prepare, tasks_of
from benchmark.execution.local import WorkerFailure
from benchmark.execution.resources import Execution, worker_command, worker_environment
from benchmark.storage.storage_errors import as_storage_error
from benchmark.study.cells import Cell
from datasets.errors import BadValue, need

SECONDS_TO_ANSWER = 30
LAST_LINES = 5


def run_study_on_dask(job: Job, execution: Execution, scheduler: str) -> list[Cell]:
    """As `run_study`, on the workers of a dask cluster; one that dies is replaced by another.

    Args:
        scheduler: its address, or the file that describes it.

    Raises:
        BadValue: no scheduler answers there.
        MissingPackage: dask is not installed here.
        WorkerFailure: a process ends with an error that no task is to blame for, or dask has given up on it.
    """
    with as_storage_error(job.run.root):
        todo = prepare(job)
        if todo or job.study.references:
            with _client(scheduler) as client:
                _work(client, job, execution, max(len(tasks_of(job.study, job.run, todo)), 1))
        return finish(job)


def _client(scheduler: str) -> Any:
    need("distributed", "--executor dask")
    from distributed import Client

    file = {"scheduler_file": scheduler} if Path(scheduler).is_file() else {"address": scheduler}
    try:
        return Client(**file, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    except (OSError, ValueError) as error:
        raise BadValue(
            f"--dask: got '{scheduler}' ({error}), expected the address, or the scheduler file, of a dask cluster "
            "that is running."
        ) from error


def _work(client: Any, job: Job, execution: Execution, most: int) -> None:
    """Have each worker of the cluster start a process on the run, and wait until all have ended."""
    from distributed import KilledWorker

    command = worker_command(execution, job.run.root, job.data, mend=job.rerun == "failed")
    places = list(client.scheduler_info(n_workers=-1)["workers"])
    count = min(execution.workers or max(len(places), 1), most)
    spread = islice(cycle(places or [None]), count)  # a cluster that grows on demand begins with none
    started = [
        client.submit(
            _run, command, worker_environment(execution, {}), pure=False, workers=place, allow_other_workers=True
        )
        for place in spread
    ]
    try:
        failures = [said for said in client.gather(started) if said]
    except KilledWorker as error:
        raise WorkerFailure(f"dask: {error} What is done is kept; the same command resumes.") from error
    if failures:
        raise WorkerFailure(f"A worker on the dask cluster ended: {failures[0]}")


def _run(command: Sequence[str], variables: Mapping[str, str]) -> str:
    """In a process of the cluster: work on the run until nothing is left; what the worker said if it failed."""
    ended = [*command, "--parent", str(os.getpid())]
    done = subprocess.run(ended, env={**os.environ, **variables}, capture_output=True, text=True, check=False)
    return " ".join(done.stderr.splitlines()[-LAST_LINES:]) or f"code {done.returncode}" if done.returncode else ""

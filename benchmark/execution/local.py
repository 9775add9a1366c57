"""The local executor: worker processes that share the tasks of a run, and the supervisor that replaces them."""

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

from benchmark.execution.job import STAGES, Job, Task, finish, prepare, tasks_of
from benchmark.execution.resources import Execution, worker_command, worker_environment
from benchmark.execution.score_cells import record_failure
from benchmark.storage.locks import last_owner, owner, try_lock
from benchmark.storage.run_record import has_maps
from benchmark.storage.storage_errors import as_storage_error
from benchmark.study.cells import Cell
from datasets.cores import usable_cores
from datasets.errors import UserError
from datasets.words import count_text

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1  # linux/prctl.h
POLL_SECONDS = 0.2
GRACE_SECONDS = 120.0  # for a fit to save its state after SIGTERM


class WorkerDeath(Exception):
    """A process ended in the middle of a task."""


class WorkerFailure(UserError):
    """A worker ended for a reason that no task is to blame for."""


def run_study_in_workers(job: Job, execution: Execution) -> list[Cell]:
    """As `run_study`, in worker processes; raises what that and `run_workers` raise."""
    with as_storage_error(job.run.root):
        run_workers(job, prepare(job), execution)
        return finish(job)


def run_workers(job: Job, cells: Sequence[Cell], execution: Execution) -> None:
    """Have worker processes do what is left of some cells; if a worker dies or hangs, its task fails.

    Raises:
        WorkerFailure: nothing can be written, or a worker ends before its first task.
    """
    if not cells and not job.study.references:
        return
    supervisor = _Supervisor(job, execution, tasks_of(job.study, job.run, cells))
    try:
        supervisor.start(worker_count(execution))
        while supervisor.workers:
            time.sleep(POLL_SECONDS)
            supervisor.check()
    finally:
        supervisor.stop()


def worker_count(execution: Execution) -> int:
    """`--workers`; by default one per GPU, or per group of GPUs that a fit trains on, else cores / threads."""
    if execution.workers is not None:
        return execution.workers
    gpus = gpu_groups(execution)
    return len(gpus) if gpus else max(1, usable_cores() // (execution.threads or usable_cores()))


def gpu_groups(execution: Execution) -> list[str]:
    """CUDA_VISIBLE_DEVICES of each worker; empty on the CPU."""
    import torch

    if execution.device not in ("auto", "cuda") or not torch.cuda.is_available():
        return []
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = visible.split(",") if visible else [str(index) for index in range(torch.cuda.device_count())]
    size = execution.devices
    return [",".join(names[first : first + size]) for first in range(0, len(names) - size + 1, size)]


@dataclass
class _Worker:
    number: int
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]
    slow: Task | None = None
    """The task that it was killed for, having been over the time limit."""

    def kill(self) -> None:
        """Kill its process, and all that this has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stderr_text(self) -> str:
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()


@dataclass
class _Supervisor:
    job: Job
    execution: Execution
    tasks: Sequence[Task]
    workers: list[_Worker] = field(default_factory=list)
    seen: dict[tuple[int, str], float] = field(default_factory=dict)

    def start(self, count: int) -> None:
        groups = gpu_groups(self.execution)
        log.info("%s on %s", count_text(count, "worker"), f"GPUs {'; '.join(groups)}" if groups else "the CPU")
        for number in range(count):
            self.workers.append(self._start_worker(number))

    def check(self) -> None:
        """Reap finished workers; kill those over the time limit."""
        if self.execution.task_seconds is not None:
            self._kill_slow(self.execution.task_seconds)
        for worker in [one for one in self.workers if one.process.poll() is not None]:
            self.workers.remove(worker)
            self._reap(worker)

    def stop(self) -> None:
        """End all workers; fits have `GRACE_SECONDS` to save their state."""
        for worker in self.workers:
            worker.process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.process.wait()

    def _start_worker(self, number: int) -> _Worker:
        groups = gpu_groups(self.execution)
        environment = dict(worker_environment(self.execution))
        if groups:
            environment["CUDA_VISIBLE_DEVICES"] = groups[number % len(groups)]
        command = worker_command(self.execution, self.job.run.root, self.job.data, mend=self.job.rerun == "failed")
        command += ["--name", f"{number + 1}| ", "--parent", str(os.getpid())]
        errors = TemporaryFile()  # noqa: SIM115
        return _Worker(
            number, subprocess.Popen(command, env=environment, stderr=errors, start_new_session=True), errors
        )

    def _reap(self, worker: _Worker) -> None:
        worker.kill()  # what a process that has ended left running
        code, stderr = worker.process.returncode, worker.stderr_text()
        worker.errors.close()
        if code == 0:
            if stderr:
                print(stderr, file=sys.stderr)
            return
        if code == 2:
            raise WorkerFailure(stderr.splitlines()[-1].removeprefix("Error: ") if stderr else "A worker was refused.")
        lost = [task for task in self.tasks if self._held(worker.process.pid, task)]
        if worker.slow is not None:  # it may have finished that task just before it was killed, and begun another
            lost = [task for task in lost if task == worker.slow]
        elif not lost:
            last = stderr.splitlines()[-1] if stderr else "no message"
            raise WorkerFailure(f"Worker {worker.number + 1} ended with {code} before its first task: {last}")
        for task in lost:
            reason = f"Its worker ended with {_exit_text(code)}."
            if worker.slow is not None:
                reason = f"Not finished within {self.execution.task_seconds:g} s; its worker was killed."
            self._blame(task, reason, stderr)
        self.workers.append(self._start_worker(worker.number))

    def _held(self, pid: int, task: Task) -> bool:
        """Whether a process holds, or died holding, the lock of an unfinished task."""
        last = last_owner(self.job.run, task.name)
        mine = last is not None and (last.host, last.pid) == (socket.gethostname(), pid)
        return mine and not task.done(self.job.run, self.job.scoring)

    def _blame(self, task: Task, reason: str, stderr: str) -> None:
        """Record in the cells of a task that their worker ended."""
        with try_lock(self.job.run, task.name) as free:
            for cell in task.cells:
                if free and (task.kind == "score" or not has_maps(self.job.run, cell)):
                    try:
                        raise WorkerDeath(reason) from (WorkerDeath(stderr) if stderr else None)
                    except WorkerDeath:
                        record_failure(self.job.run, cell, STAGES[task.kind])

    def _kill_slow(self, limit: float) -> None:
        """Kill workers that have been at one task for more than `limit` seconds, by a clock that never jumps."""
        workers, now = {one.process.pid: one for one in self.workers}, time.monotonic()
        for task in self.tasks:
            last = last_owner(self.job.run, task.name)
            if last is None or last.pid not in workers or task.done(self.job.run, self.job.scoring):
                continue
            if owner(self.job.run, task.name) is None:
                continue
            if now - self.seen.setdefault((last.pid, task.name), now) > limit:
                workers[last.pid].slow = task
                workers[last.pid].kill()


def _exit_text(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def end_with_parent(parent: int) -> bool:
    """Have the system end this process when its parent dies (Linux only); False if the parent has died already."""
    if sys.platform.startswith("linux"):
        import ctypes

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent

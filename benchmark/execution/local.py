"""The local executor: worker processes that share a run's tasks, and the watch over them."""

import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import IO

from benchmark.execution.job import Job, Kind, Task, finish, prepare, tasks_of
from benchmark.execution.resources import Execution, worker_command, worker_environment
from benchmark.execution.score_cells import fail
from benchmark.storage.locks import last_owner, owner, taken
from benchmark.storage.run_record import has_maps
from benchmark.storage.storage_errors import told_apart
from benchmark.study.cells import Cell
from datasets.errors import UserError

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
GRACE_SECONDS = 120.0  # for a fit to be saved after SIGTERM
STAGES: Mapping[Kind, str] = {"fit": "fit", "map": "predict", "score": "evaluate"}


class WorkerLost(Exception):
    """A process ended while it was at work on a task."""


class WorkerStopped(UserError):
    """A worker gave up for a reason that its message tells."""


def run_study_in_workers(job: Job, execution: Execution) -> list[Cell]:
    """As `run_study`, in worker processes; see there and below for what is raised."""
    with told_apart(job.run.root):
        run_workers(job, prepare(job), execution)
        return finish(job)


def run_workers(job: Job, cells: Sequence[Cell], execution: Execution) -> None:
    """Have worker processes do what is left of some cells; a worker that dies or hangs costs the task it was at.

    Raises:
        WorkerStopped: nothing can be written, or a worker ends before it has begun a task.
    """
    if not cells and not job.study.references:
        return
    watch = _Watch(job, execution, tasks_of(job.study, job.run, cells))
    try:
        watch.start(worker_count(execution))
        while watch.workers:
            time.sleep(POLL_SECONDS)
            watch.look()
    finally:
        watch.stop()


def worker_count(execution: Execution) -> int:
    """As asked; else one for each GPU, or for each group that a fit trains on; else as the cores have room for."""
    if execution.workers is not None:
        return execution.workers
    gpus = gpu_groups(execution)
    return len(gpus) if gpus else max(1, (os.cpu_count() or 1) // (execution.threads or os.cpu_count() or 1))


def gpu_groups(execution: Execution) -> list[str]:
    """What each worker sees as its GPUs, as CUDA_VISIBLE_DEVICES has it; none where the CPU is to be used."""
    import torch

    if execution.device not in ("auto", "cuda") or not torch.cuda.is_available():
        return []
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = told.split(",") if told else [str(index) for index in range(torch.cuda.device_count())]
    size = execution.devices
    return [",".join(names[first : first + size]) for first in range(0, len(names) - size + 1, size)]


@dataclass
class _Worker:
    number: int
    process: "subprocess.Popen[bytes]"
    errors: IO[bytes]
    slow: Task | None = None
    """What it took too long at, where the watch has ended it."""

    def told(self) -> str:
        """What it wrote to stderr."""
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()


@dataclass
class _Watch:
    job: Job
    execution: Execution
    tasks: Sequence[Task]
    workers: list[_Worker] = field(default_factory=list)
    seen: dict[tuple[int, str], float] = field(default_factory=dict)

    def start(self, count: int) -> None:
        groups = gpu_groups(self.execution)
        log.info("%d workers on %s", count, f"GPUs {'; '.join(groups)}" if groups else "the CPU")
        for number in range(count):
            self.workers.append(self._started(number))

    def look(self) -> None:
        """Take leave of workers that have ended, and end those that take too long."""
        if self.execution.task_seconds is not None:
            self._end_slow(self.execution.task_seconds)
        for worker in [one for one in self.workers if one.process.poll() is not None]:
            self.workers.remove(worker)
            self._part_from(worker)

    def stop(self) -> None:
        """End all workers, fits having time to be saved."""
        for worker in self.workers:
            worker.process.terminate()
        end = time.monotonic() + GRACE_SECONDS
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def _started(self, number: int) -> _Worker:
        groups = gpu_groups(self.execution)
        environment = dict(worker_environment(self.execution))
        if groups:
            environment["CUDA_VISIBLE_DEVICES"] = groups[number % len(groups)]
        command = worker_command(self.execution, self.job.run.root, self.job.data, mend=self.job.rerun == "failed")
        command += ["--name", f"{number + 1}| ", "--parent", str(os.getpid())]
        errors = TemporaryFile()  # noqa: SIM115
        return _Worker(number, subprocess.Popen(command, env=environment, stderr=errors), errors)

    def _part_from(self, worker: _Worker) -> None:
        code, told = worker.process.returncode, worker.told()
        worker.errors.close()
        if code == 0:
            if told:
                print(told, file=sys.stderr)
            return
        if code == 2:
            raise WorkerStopped(told.splitlines()[-1].removeprefix("Error: ") if told else "a worker was refused.")
        lost = [task for task in self.tasks if self._was_at(worker.process.pid, task)]
        if worker.slow is not None:  # it may have come to the end of it just before it was ended, and gone on
            lost = [task for task in lost if task == worker.slow]
        elif not lost:
            last = told.splitlines()[-1] if told else "nothing said"
            raise WorkerStopped(f"Worker {worker.number + 1} ended with {code} before it had begun a task: {last}")
        for task in lost:
            reason = f"The process that was at it ended with {_meaning(code)}."
            if worker.slow is not None:
                reason = f"No end of it within {self.execution.task_seconds:g} s; its process was ended."
            self._blame(task, reason, told)
        self.workers.append(self._started(worker.number))

    def _was_at(self, pid: int, task: Task) -> bool:
        last = last_owner(self.job.run, task.name)
        mine = last is not None and (last.host, last.pid) == (socket.gethostname(), pid)
        return mine and not task.done(self.job.run, self.job.scoring)

    def _blame(self, task: Task, reason: str, told: str) -> None:
        """Leave in a task's cells that they cost a worker."""
        with taken(self.job.run, task.name) as free:
            for cell in task.cells:
                if free and (task.kind == "score" or not has_maps(self.job.run, cell)):
                    try:
                        raise WorkerLost(reason) from (WorkerLost(told) if told else None)
                    except WorkerLost:
                        fail(self.job.run, cell, STAGES[task.kind])

    def _end_slow(self, most: float) -> None:
        """End workers that are longer at one task than `most` seconds, by a clock that never jumps."""
        workers, now = {one.process.pid: one for one in self.workers}, time.monotonic()
        for task in self.tasks:
            last = last_owner(self.job.run, task.name)
            if last is None or last.pid not in workers or task.done(self.job.run, self.job.scoring):
                continue
            if owner(self.job.run, task.name) is None:
                continue
            if now - self.seen.setdefault((last.pid, task.name), now) > most:
                workers[last.pid].slow = task
                workers[last.pid].process.kill()


def _meaning(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def stay_with(parent: int) -> bool:
    """Have the system end this process when its parent dies, where it can; whether the parent is still there."""
    if sys.platform.startswith("linux"):
        import ctypes
        import signal

        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    return os.getppid() == parent


PR_SET_PDEATHSIG = 1  # linux/prctl.h

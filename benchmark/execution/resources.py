"""Execution: where the tasks of a study run, and what a worker process may use."""

import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Executor = Literal["inline", "local", "slurm", "dask"]
EXECUTORS: Sequence[Executor] = ("inline", "local", "slurm", "dask")
GIB = 2**30
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Execution:
    """Where and with what to compute; changes no number, except by rounding if `threads` differ.

    Attributes:
        executor: inline: this process; local: worker processes on this machine; slurm: a job array;
            dask: processes on the workers of a dask cluster.
        workers: number of processes; None for one per GPU, or else cores / threads.
        threads: CPU threads of each process; None for the number of cores.
        task_seconds: time limit for one task (fit, map or score); the worker is killed after it. None for no limit.
        memory_gib: memory limit of each process; None for no limit.
        device, slice_batch, compiled: as in `Inference`.
        devices: GPUs of each worker, as many as `Fit.devices` says that a fit trains on.
    """

    executor: Executor = "inline"
    workers: int | None = None
    threads: int | None = None
    task_seconds: float | None = None
    memory_gib: float | None = None
    device: str = "auto"
    devices: int = 1
    slice_batch: int = 32
    compiled: bool = False


def worker_command(
    execution: Execution, root: Path, data: Path, *, mend: bool = False, only_fits: bool = False
) -> list[str]:
    """The command line of a worker on the run at `root`, without the options that its supervisor adds."""
    command = [sys.executable, "-m", "benchmark", "work", str(root.resolve()), "--data", str(data.resolve())]
    command += ["--device", execution.device, "--slice-batch", str(execution.slice_batch)]
    for option, value in (("--threads", execution.threads), ("--memory-limit", execution.memory_gib)):
        command += [] if value is None else [option, str(value)]
    return command + ["--compile"] * execution.compiled + ["--mend"] * mend + ["--only-fits"] * only_fits


def set_limits(execution: Execution) -> None:
    """Apply the limits on threads and memory to this process, before anything large is computed."""
    if execution.threads is not None:
        import torch

        torch.set_num_threads(execution.threads)
    if execution.memory_gib is not None:
        most = int(execution.memory_gib * GIB)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def worker_environment(execution: Execution, around: Mapping[str, str] = os.environ) -> Mapping[str, str]:
    """The environment variables of a worker; libraries read their number of threads from them."""
    threads = {} if execution.threads is None else dict.fromkeys(THREADS, str(execution.threads))
    return {**around, **threads}

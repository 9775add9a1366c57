"""Execution: where a study's tasks run and what a worker process may use."""

import os
import resource
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Executor = Literal["inline", "local", "slurm"]
EXECUTORS: Sequence[Executor] = ("inline", "local", "slurm")
GIB = 2**30
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Execution:
    """None of it changes a number, but for rounding where `threads` differ.

    Attributes:
        executor: inline: this process; local: workers on this machine; slurm: a job array.
        workers: processes; None for as many as there are GPUs, or as the cores have room for.
        threads: of a process, for arithmetic on the CPU; None for as many as there are cores, whatever `workers` is.
        task_seconds: a worker that takes longer for a fit, a cell or a scoring is ended; None for any time.
        memory_gib: of data that a worker may hold; None for any amount.
        device, devices, slice_batch, compiled: as in `Inference` and `Job`.
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
    """The command of a process that works on the run at `root`, without those that watch over it."""
    command = [sys.executable, "-m", "benchmark", "work", str(root.resolve()), "--data", str(data.resolve())]
    command += ["--device", execution.device, "--devices", str(execution.devices)]
    command += ["--slice-batch", str(execution.slice_batch)]
    for option, value in (("--threads", execution.threads), ("--memory-limit", execution.memory_gib)):
        command += [] if value is None else [option, str(value)]
    return command + ["--compile"] * execution.compiled + ["--mend"] * mend + ["--only-fits"] * only_fits


def set_limits(execution: Execution) -> None:
    """Hold this process to its threads and memory; before anything large is computed."""
    if execution.threads is not None:
        import torch

        torch.set_num_threads(execution.threads)
    if execution.memory_gib is not None:
        most = int(execution.memory_gib * GIB)
        resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def worker_environment(execution: Execution) -> Mapping[str, str]:
    """The environment of a worker; libraries read their numbers of threads from it."""
    threads = {} if execution.threads is None else dict.fromkeys(THREADS, str(execution.threads))
    return {**os.environ, **threads}

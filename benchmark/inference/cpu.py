"""Settings of the process that make networks faster on a CPU; they have to be made before torch is imported."""

import ctypes
import os
import sys
from collections.abc import Callable

from datasets.cores import usable_cores

# glibc, malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = 2**31 - 1


def prepare_cpu() -> None:
    """Keep freed memory, use the available cores only, and let waiting threads sleep.

    By default glibc returns every large activation to the system, and the next operation faults it in again. OpenMP
    threads spin while they wait, which costs a factor of ten if another process uses the same core, and there are as
    many as the machine's cores even if a container may use only a few. Variables of the user's environment take
    precedence, including `MALLOC_...` of glibc.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    mallopt = _of_glibc("mallopt")
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in os.environ):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)


def return_freed_memory() -> None:
    """Give freed memory, which `prepare_cpu` has kept, back to the system; for the end of work that is not repeated."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """A function of the C library by its name; None where there is none."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform.startswith("linux") else None


def threads_here() -> int:
    """Of this process, for one that shall compute as it does."""
    import torch

    return int(torch.get_num_threads())


def compute_as_parent(threads: int) -> None:
    """Settle a process that another has started to compute as it would itself, with so many threads."""
    import torch

    prepare_cpu()
    torch.set_num_threads(threads)

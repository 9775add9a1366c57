"""Settings of the process that make networks on a CPU faster; to be made before torch is imported."""

import ctypes
import os
import sys
from pathlib import Path

# glibc, malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = 2**31 - 1
QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container: microseconds a period, or "max", and the period


def prepare_cpu() -> None:
    """Keep freed memory, use the cores that there are, and let threads that wait for each other sleep.

    glibc would give every large activation back to the system, to be faulted in anew by the next
    operation. OpenMP's threads would spin, which costs a factor of ten where another process wants
    the same core, and would be as many as the machine's cores where a container may use a few of them.
    What the user's environment says goes first, `MALLOC_...` of glibc too.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("OMP_NUM_THREADS", str(usable_cores()))
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None and not any(name.startswith("MALLOC_") for name in os.environ):
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)


def usable_cores(quota: Path = QUOTA) -> int:
    """Cores that this process may use: by its affinity and, in a container, by the quota of its group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        allowed, period = quota.read_text(encoding="ascii").split()
        return max(min(cores, round(int(allowed) / int(period))), 1)
    except (OSError, ValueError):  # no such group, or "max": as many as there are
        return cores

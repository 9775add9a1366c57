"""Settings of the process that make networks on a CPU faster; to be made before torch is imported."""

import ctypes
import os
import sys

# glibc, malloc.h
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = 2**31 - 1


def prepare_cpu() -> None:
    """Keep freed memory, and let threads that wait for each other sleep.

    glibc would give every large activation back to the system, to be faulted in anew by the next
    operation. OpenMP's threads would spin, which costs a factor of ten where another process wants
    the same core. What the user's environment says goes first.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER)

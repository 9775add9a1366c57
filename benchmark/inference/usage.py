"""What inference takes: seconds of its stages, clocks of the host and the GPU, and peak memory."""

import resource
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, Protocol

import torch

InferenceStage = Literal["read", "copy", "compute", "post", "write"]
STAGES: tuple[InferenceStage, ...] = ("read", "copy", "compute", "post", "write")


class StageTimer:
    """Seconds of each stage, summed over threads: stages overlap, so the sum may exceed the wall-clock time.

    Attributes:
        seconds: of each stage so far.
        halvings: of the batch, for lack of memory.
    """

    def __init__(self) -> None:
        self.seconds: dict[InferenceStage, float] = dict.fromkeys(STAGES, 0.0)
        self.halvings = 0
        self._lock = threading.Lock()

    def add(self, stage: InferenceStage, seconds: float) -> None:
        with self._lock:
            self.seconds[stage] += seconds

    @contextmanager
    def timed(self, stage: InferenceStage) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begin)


class Clock(Protocol):
    """Times one computation; `seconds` waits for its end."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def seconds(self) -> float: ...


class HostClock:
    """Times a computation that is complete when its call returns."""

    def start(self) -> None:
        self.begin = time.perf_counter()

    def stop(self) -> None:
        self.end = time.perf_counter()

    def seconds(self) -> float:
        return self.end - self.begin


class GpuClock:
    """Times what is queued on the device's current stream between two events, without the queueing itself."""

    def __init__(self) -> None:
        self.begin, self.end = (torch.cuda.Event(enable_timing=True) for _ in range(2))

    def start(self) -> None:
        self.begin.record()

    def stop(self) -> None:
        self.end.record()

    def seconds(self) -> float:
        self.end.synchronize()
        return self.begin.elapsed_time(self.end) / 1000  # from ms


def clock(device: str) -> Clock:
    """The clock for a device."""
    return GpuClock() if torch.device(device).type == "cuda" else HostClock()


def reset_peak(device: str) -> None:
    """Let `peak_bytes` count from now on, or from the process's start where the system cannot reset it."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak resident set size


def peak_bytes(device: str) -> int:
    """Peak memory since `reset_peak`: allocated on the GPU, else resident in this process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

"""Stages: where the time of inference goes."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Stage = Literal["read", "copy", "compute", "post", "write"]
STAGES: tuple[Stage, ...] = ("read", "copy", "compute", "post", "write")


class Stages:
    """Seconds of each stage, summed over threads: stages overlap, so that their sum may exceed the wall clock's.

    Attributes:
        seconds: of each stage so far.
        halvings: of the batch, for want of memory.
    """

    def __init__(self) -> None:
        self.seconds: dict[Stage, float] = dict.fromkeys(STAGES, 0.0)
        self.halvings = 0
        self._lock = threading.Lock()

    def add(self, stage: Stage, seconds: float) -> None:
        with self._lock:
            self.seconds[stage] += seconds

    @contextmanager
    def timed(self, stage: Stage) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - begin)

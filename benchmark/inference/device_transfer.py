"""Batches of cases to a device and volumes back from it, without waiting where the device is a GPU."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.inference.timing import Stages
from datasets.case import Case


@dataclass(frozen=True)
class Inputs:
    """`(N, 1, X, Y, Z)` images and brain masks and `(N,)` seeds on the device."""

    images: Tensor
    brain_masks: Tensor
    seeds: Tensor


class Clock(Protocol):
    """Times one computation; `seconds` waits until it has ended."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def seconds(self) -> float: ...


class HostClock:
    """Of a computation that has ended when its call returns."""

    def start(self) -> None:
        self.begin = time.perf_counter()

    def stop(self) -> None:
        self.end = time.perf_counter()

    def seconds(self) -> float:
        return self.end - self.begin


class GpuClock:
    """Of what is queued on the device's current stream between two events: the queueing itself is not in it."""

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
    """One that suits the device."""
    return GpuClock() if is_gpu(device) else HostClock()


class OnItsWay:
    """Volumes on their way back from the device."""

    def __init__(self, volumes: Tensor) -> None:
        """`(N, 1, X, Y, Z)`; on a GPU a stream of its own copies them, once they have been computed."""
        self.arrived: Any = None
        self.host = volumes
        if volumes.is_cuda:
            stream = _copying(volumes.device)
            stream.wait_stream(torch.cuda.current_stream(volumes.device))
            with torch.cuda.stream(stream):
                self.host = torch.empty(volumes.shape, dtype=torch.float32, pin_memory=True)
                self.host.copy_(volumes, non_blocking=True)
                self.arrived = torch.cuda.Event()
                self.arrived.record(stream)
            volumes.record_stream(stream)  # its memory is not given to others before it is copied

    def volumes(self) -> NDArray[np.float32]:
        """`(N, X, Y, Z)` float32, once they are here."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.host[:, 0].float().numpy()


def to_device(cases: Sequence[Case], seeds: Sequence[int], device: str, stages: Stages) -> Inputs:
    """What a detector is given of the cases; on a GPU through pinned memory and a stream of its own."""
    with stages.timed("copy"):
        images = torch.from_numpy(np.stack([case.image for case in cases]))
        brains = torch.from_numpy(np.stack([case.brain_mask[None] for case in cases]))
        inputs = images, brains, torch.tensor(seeds)
        if not is_gpu(device):
            return Inputs(*inputs)
        stream, computing = _copying(torch.device(device)), torch.cuda.current_stream(device)
        with torch.cuda.stream(stream):
            moved = [one.pin_memory().to(device, non_blocking=True) for one in inputs]
        computing.wait_stream(stream)
        for one in moved:
            one.record_stream(computing)
        return Inputs(*moved)


def is_gpu(device: str) -> bool:
    return torch.device(device).type == "cuda"


def on(device: str) -> AbstractContextManager[object]:
    """Events and streams are the device's meanwhile."""
    return torch.cuda.device(device) if is_gpu(device) else nullcontext()


@lru_cache(maxsize=16)
def _copying(device: torch.device) -> Any:
    """The device's stream for copies, both ways."""
    return torch.cuda.Stream(device)

"""Copies between host and device: batches of cases to it and volumes back, asynchronously on a GPU."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.inference.usage import StageTimer
from benchmark.methods.brain_slices import keep_on_host
from datasets.case import Case


@dataclass(frozen=True)
class Inputs:
    """`(N, C, X, Y, Z)` images, `(N, 1, X, Y, Z)` brain masks and `(N,)` seeds on the device."""

    images: Tensor
    brain_masks: Tensor
    seeds: Tensor


class PendingVolumes:
    """Volumes that are being copied back from the device."""

    def __init__(self, volumes: Tensor) -> None:
        """`(N, C, X, Y, Z)`; on a GPU a stream of its own copies them, once they have been computed."""
        self.arrived: Any = None
        self.host = volumes
        if volumes.is_cuda:
            stream = _copy_stream(volumes.device)
            stream.wait_stream(torch.cuda.current_stream(volumes.device))
            with torch.cuda.stream(stream):
                self.host = torch.empty(volumes.shape, dtype=torch.float32, pin_memory=True)
                self.host.copy_(volumes, non_blocking=True)
                self.arrived = torch.cuda.Event()
                self.arrived.record(stream)
            volumes.record_stream(stream)  # its memory is not reused before it is copied

    def volumes(self) -> NDArray[np.float32]:
        """`(N, C, X, Y, Z)` float32; waits until they have arrived."""
        if self.arrived is not None:
            self.arrived.synchronize()
        return self.host.float().numpy()


def to_device(cases: Sequence[Case], seeds: Sequence[int], device: str, timer: StageTimer) -> Inputs:
    """The inputs of a detector; to a GPU they are copied through pinned memory on a stream of their own."""
    with timer.timed("copy"):
        images = torch.from_numpy(np.stack([case.image for case in cases]))
        brains = torch.from_numpy(np.stack([case.brain_mask[None] for case in cases]))
        inputs = images, brains, torch.tensor(seeds)
        if not is_gpu(device):
            return Inputs(*inputs)
        stream, computing = _copy_stream(torch.device(device)), torch.cuda.current_stream(device)
        with torch.cuda.stream(stream):
            moved = [one.pin_memory().to(device, non_blocking=True) for one in inputs]
        computing.wait_stream(stream)
        for one in moved:
            one.record_stream(computing)
        keep_on_host(moved[1], brains)
        return Inputs(*moved)


def is_gpu(device: str) -> bool:
    return torch.device(device).type == "cuda"


def device_context(device: str) -> AbstractContextManager[object]:
    """Within the block, events and streams are the device's."""
    return torch.cuda.device(device) if is_gpu(device) else nullcontext()


@lru_cache(maxsize=16)
def _copy_stream(device: torch.device) -> Any:
    """The device's stream for copies in both directions."""
    return torch.cuda.Stream(device)

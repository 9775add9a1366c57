"""Floating-point operations of a map, and the peak rate of the device."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmark.inference.settings import DTYPES
from benchmark.methods.detector import Detector
from benchmark.methods.exact_float32 import exact_float32
from benchmark.study.cells import Precision
from datasets.case import Case

SIDES = {"cpu": 1024, "cuda": 8192}  # of the matrices: large enough for the device's best rate
SECONDS = 1.0  # of products, at least
ROUNDS = 3


def counted(compute: Callable[[], object]) -> int:
    """Operations of matrix products, convolutions and attention, two for a multiply-add; nothing else is counted."""
    with FlopCounterMode(display=False) as counter:
        compute()
    return int(counter.get_total_flops())


@dataclass(frozen=True)
class Flops:
    """Operations of a volume, as a function of how many of its slices hold brain."""

    volume: int
    a_slice: int

    def of(self, slices: int) -> int:
        return self.volume + slices * self.a_slice


def flops_of(detector: Detector, case: Case) -> Flops:
    """Counted on one and on two slices of brain, without padding.

    Where the second slice makes no difference, as for a method that works on volumes, counted on all slices.
    """
    with_brain = np.flatnonzero(case.brain_mask.any(axis=(0, 1)))
    before, detector.slice_batch = detector.slice_batch, 1
    try:
        one, two = (_flops(detector, case, with_brain[:count]) for count in (1, 2))
        if two > one:
            return Flops(2 * one - two, two - one)
        return Flops(_flops(detector, case, with_brain), 0)
    finally:
        detector.slice_batch = before


def matrix_rate(device: str, precision: Precision) -> float:
    """Operations a second of the product of two square matrices, the best over a second of repetitions."""
    kind = torch.device(device).type
    side = SIDES.get(kind, SIDES["cpu"])
    left, right = (torch.rand(side, side, device=device, dtype=DTYPES[precision]) for _ in range(2))
    with torch.inference_mode(), exact_float32():
        left @ right  # warms up
        best, begin, tries = float("inf"), time.perf_counter(), 0
        while tries < ROUNDS or time.perf_counter() - begin < SECONDS:
            best, tries = min(best, _seconds(left, right)), tries + 1
    return float(2 * side**3 / best)


def _flops(detector: Detector, case: Case, slices: NDArray[np.intp]) -> int:
    """Operations for the case with brain in these slices alone."""
    brain = np.zeros_like(case.brain_mask)
    brain[:, :, slices] = case.brain_mask[:, :, slices]
    arrays = case.image[None], brain[None, None], np.zeros(1, np.int64)
    images, brains, seeds = (torch.from_numpy(array).to(detector.device) for array in arrays)
    with torch.no_grad():
        return counted(lambda: detector.map_and_reconstruction(images, brains, seeds=seeds))


def _seconds(left: Tensor, right: Tensor) -> float:
    if left.is_cuda:
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        left @ right
        end.record()
        end.synchronize()
        return begin.elapsed_time(end) / 1000  # from ms
    start = time.perf_counter()
    left @ right
    return time.perf_counter() - start

"""measure: seconds, memory, energy and operations of one detector mapping real scans, from disk to written maps."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import isnan, nan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.inference.predict import Prediction, predict
from benchmark.inference.prefetch import WriteBehind
from benchmark.inference.settings import Inference
from benchmark.inference.usage import STAGES, InferenceStage, StageTimer, peak_bytes, reset_peak
from benchmark.methods.detector import Detector
from benchmark.speed.energy import EnergyMeter, EnergySource, gpu_counters
from benchmark.speed.flops import flops_of
from benchmark.storage.maps import write_map, write_volume
from datasets.case import Case

Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Measurement:
    """Of `len(case_seconds)` volumes, mapped after a warm-up.

    Attributes:
        inference: its settings; the slice batch may have been halved since.
        case_seconds: each volume's share of the computation by case_id, s.
        wall_seconds: from the first volume's reading to the last map's writing.
        stage_seconds: of each stage, summed over threads.
        slices: with brain, over all volumes.
        flops: over all volumes, see `flops_of`; NaN for a method without any product of matrices.
        peak_allocated, peak_reserved: bytes on the GPU; NaN on a CPU.
        host_peak: bytes resident in this process.
        joules, energy_source: of the GPU; NaN where they are not measurable.
        clocks: MHz right after.
        halvings: of the batch, for lack of memory.
        maps: by case_id; empty unless kept.
    """

    inference: Inference
    parameters: int
    case_seconds: dict[str, float]
    wall_seconds: float
    stage_seconds: dict[InferenceStage, float]
    slices: int
    flops: float
    peak_allocated: float
    peak_reserved: float
    host_peak: float
    joules: float
    energy_source: EnergySource
    clocks: dict[str, float]
    halvings: int
    maps: dict[str, Volume] = field(default_factory=dict, repr=False)

    def numbers(self, matrix_rate: float = nan) -> dict[str, float]:
        """Every number by its name in `QUANTITIES`; NaN where it is not measurable."""
        volumes, compute = len(self.case_seconds), self.stage_seconds["compute"]
        p50, p95 = np.percentile(list(self.case_seconds.values()), (50, 95))
        return {
            "seconds_p50": float(p50),
            "seconds_p95": float(p95),
            "volumes_per_second": volumes / self.wall_seconds,
            "slices_per_second": self.slices / self.wall_seconds,
            **{f"{stage}_seconds": self.stage_seconds[stage] / volumes for stage in STAGES},
            "parameters": float(self.parameters),
            "flops_per_volume": self.flops / volumes,
            "matrix_flops_per_second": matrix_rate,
            "share_of_matrix_rate": self.flops / compute / matrix_rate if compute else nan,
            "peak_bytes": self.host_peak if isnan(self.peak_allocated) else self.peak_allocated,
            "reserved_bytes": self.peak_reserved,
            "host_bytes": self.host_peak,
            "joules_per_volume": self.joules / volumes,
            "sm_mhz": self.clocks.get("sm", nan),
            "memory_mhz": self.clocks.get("memory", nan),
        }


def measure(
    detector: Detector, cases: Sequence[Case], inference: Inference, *, seed: int = 0, keep_maps: bool = False
) -> Measurement:
    """Map one case as a warm-up, which also compiles the networks, then time all of them."""
    flops = flops_of(detector, cases[0])
    warming, stages = StageTimer(), StageTimer()
    deque(predict(detector, cases[:1], inference, seed=seed, timer=warming), maxlen=0)
    counters = gpu_counters(inference.device)
    reset_peak(inference.device)
    with TemporaryDirectory(prefix="uadbench-speed-") as folder:
        begin = time.perf_counter()
        with EnergyMeter(counters) as meter:
            mapped = _map_and_write(predict(detector, cases, inference, seed=seed, timer=stages), Path(folder), stages)
        wall = time.perf_counter() - begin
    return Measurement(
        inference=inference,
        parameters=sum(parameter.numel() for parameter in detector.parameters()),
        case_seconds={one.case_id: one.seconds for one in mapped},
        wall_seconds=wall,
        stage_seconds=dict(stages.seconds),
        slices=sum(one.slices for one in mapped),
        flops=float(sum(flops.of(one.slices) for one in mapped)) or nan,
        **_memory(inference.device),
        joules=meter.joules,
        energy_source=meter.source,
        clocks={} if counters is None else counters.clocks(),
        halvings=warming.halvings + stages.halvings,
        maps={one.case_id: one.anomaly_map for one in mapped} if keep_maps else {},
    )


def estimated_seconds(detector: Detector, shape: Sequence[int]) -> float:
    """Quick estimate of what mapping a case takes on this CPU, from a few slices of noise, nothing else running.

    CPU time over threads, so that what else runs here does not count. NaN for a detector that maps nothing unfitted.

    Args:
        shape: `(X, Y, Z)` of the case, all of it brain.
    """
    x, y, z = shape
    slices = min(max(getattr(detector, "stack", 1), 2), z)
    images = torch.rand(1, detector.input_channels, x, y, slices)
    brains, seeds = torch.ones(1, 1, x, y, slices, dtype=torch.bool), torch.zeros(1, dtype=torch.int64)
    begin = time.process_time()
    try:
        with torch.inference_mode():
            detector.eval().map_and_reconstruction(images, brains, seeds=seeds)
    except Exception:  # whatever it is that a fit would have given
        return nan
    return (time.process_time() - begin) / torch.get_num_threads() * z / slices


@dataclass(frozen=True)
class _MapRecord:
    """What is kept of a prediction."""

    case_id: str
    seconds: float
    slices: int
    anomaly_map: Volume


def _map_and_write(predictions: Iterable[Prediction], folder: Path, stages: StageTimer) -> list[_MapRecord]:
    """Write maps and reconstructions in the background, as a run does."""
    mapped = []
    with WriteBehind() as writing:
        for one in predictions:
            writing.do(partial(_write, one, folder, stages))
            slices = int(one.case.brain_mask.any(axis=(0, 1)).sum())
            mapped.append(_MapRecord(one.case.case_id, one.seconds, slices, one.anomaly_map))
    return mapped


def _write(one: Prediction, folder: Path, stages: StageTimer) -> None:
    with stages.timed("write"):
        write_map(folder / f"{one.case.case_id}-map.nii.gz", one.anomaly_map, one.case.affine)
        if one.reconstruction is not None:
            for channel, volume in enumerate(one.reconstruction):
                write_volume(folder / f"{one.case.case_id}-{channel}.nii.gz", volume, one.case.affine)


def _memory(device: str) -> dict[str, float]:
    """Most bytes since `reset_peak`."""
    gpu = torch.device(device).type == "cuda"
    return {
        "peak_allocated": float(torch.cuda.max_memory_allocated(device)) if gpu else nan,
        "peak_reserved": float(torch.cuda.max_memory_reserved(device)) if gpu else nan,
        "host_peak": float(peak_bytes("cpu")),
    }

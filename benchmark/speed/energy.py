"""Energy of a computation on a GPU, from the driver's counters (NVML); never 0 where it cannot be measured."""

import logging
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from math import nan
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import torch

from datasets.errors import install

try:
    import pynvml
except ModuleNotFoundError:
    pynvml = None

log = logging.getLogger(__name__)


EnergySource = Literal["counter", "power", "not measurable"]
INTERVAL = 0.02  # s between two readings of the power; drivers renew it every 20 to 100 ms


class Counters(Protocol):
    """What a GPU tells about its energy; None for what it does not tell."""

    def energy(self) -> float | None: ...
    def power(self) -> float | None: ...


class EnergyMeter:
    """Measures energy within its block: by the driver's counter, else by integrating the power.

    Attributes:
        joules: NaN where neither is known.
        source: where the joules come from.
    """

    source: EnergySource

    def __init__(self, counters: Counters | None, *, now: Callable[[], float] = time.perf_counter) -> None:
        self.joules, self.source = nan, "not measurable"
        self._counters, self._now = counters, now
        self._readings: list[tuple[float, float]] = []  # seconds, watts
        self._ended = threading.Event()
        self._reader: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._before = self._counters.energy() if self._counters else None
        if self._counters is not None and self._before is None and self._read_power():
            self._reader = threading.Thread(target=self._read_repeatedly, daemon=True)
            self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._reader is not None:
            self._ended.set()
            self._reader.join()
            self._read_power()
            self.joules, self.source = integral(self._readings), "power"
        after = self._counters.energy() if self._counters and self._before is not None else None
        if after is not None and self._before is not None and after > self._before:
            self.joules, self.source = after - self._before, "counter"

    def _read_repeatedly(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._read_power()

    def _read_power(self) -> bool:
        watts = self._counters.power() if self._counters else None
        if watts is not None:
            self._readings.append((self._now(), watts))
        return watts is not None


def integral(readings: list[tuple[float, float]]) -> float:
    """Joules under `(seconds, watts)` by the trapezoid rule; NaN for fewer than two readings."""
    if len(readings) < 2:
        return nan
    pairs = pairwise(readings)
    return sum((later - sooner) * (first + second) / 2 for (sooner, first), (later, second) in pairs)


class GpuCounters:
    """One GPU's counters; each is None where the driver or the card does not support it."""

    def __init__(self, handle: Any) -> None:
        """`handle` of NVML."""
        self._handle = handle

    def energy(self) -> float | None:
        """Joules since the driver was loaded."""
        millijoules = self._read(pynvml.nvmlDeviceGetTotalEnergyConsumption)
        return None if millijoules is None else millijoules / 1000

    def power(self) -> float | None:
        """Watts now."""
        milliwatts = self._read(pynvml.nvmlDeviceGetPowerUsage)
        return None if milliwatts is None else milliwatts / 1000

    def clocks(self) -> dict[str, float]:
        """MHz now, of the clocks that are known."""
        kinds = {"sm": pynvml.NVML_CLOCK_SM, "memory": pynvml.NVML_CLOCK_MEM}
        found = {name: self._read(pynvml.nvmlDeviceGetClockInfo, kind) for name, kind in kinds.items()}
        return {name: clock for name, clock in found.items() if clock is not None}

    def _read(self, function: Callable[..., Any], *arguments: int) -> float | None:
        try:
            return float(function(self._handle, *arguments))
        except pynvml.NVMLError:  # not supported by this card, or not known to this driver
            return None


def gpu_counters(device: str) -> GpuCounters | None:
    """The counters of a CUDA device; None for a CPU, without an NVIDIA driver, or without the extra `gpu`."""
    if torch.device(device).type != "cuda":
        return None
    if pynvml is None:
        log.warning("No energy is measured: the GPU's counters need pynvml: %s", install("pynvml"))
        return None
    try:
        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        return GpuCounters(pynvml.nvmlDeviceGetHandleByUUID(uuid))
    except pynvml.NVMLError:
        return None

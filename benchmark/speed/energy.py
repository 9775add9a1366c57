"""EnergyMeter: joules that a GPU takes meanwhile, or that they cannot be measured."""

import ctypes
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from math import nan
from types import TracebackType
from typing import Any, Literal, Protocol, Self

Source = Literal["counter", "power", "not measurable"]
INTERVAL = 0.02  # s between two looks at the power; drivers renew it every 20 to 100 ms


class Counters(Protocol):
    """Of a GPU; None for what it does not tell."""

    def energy(self) -> float | None: ...
    def power(self) -> float | None: ...


class EnergyMeter:
    """Within, the energy is measured: by the driver's counter, else by integrating its power.

    Attributes:
        joules: NaN where neither is told: never 0.
        source: where they come from.
    """

    def __init__(self, counters: Counters | None, *, now: Callable[[], float] = time.perf_counter) -> None:
        self.joules, self.source = nan, "not measurable"
        self._counters, self._now = counters, now
        self._looks: list[tuple[float, float]] = []  # seconds, watts
        self._ended = threading.Event()
        self._looking: threading.Thread | None = None

    source: Source

    def __enter__(self) -> Self:
        self._before = self._counters.energy() if self._counters else None
        if self._counters is not None and self._before is None and self._look():
            self._looking = threading.Thread(target=self._look_on, daemon=True)
            self._looking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._looking is not None:
            self._ended.set()
            self._looking.join()
            self._look()
            self.joules, self.source = integral(self._looks), "power"
        after = self._counters.energy() if self._counters and self._before is not None else None
        if after is not None and self._before is not None and after > self._before:
            self.joules, self.source = after - self._before, "counter"

    def _look_on(self) -> None:
        while not self._ended.wait(INTERVAL):
            self._look()

    def _look(self) -> bool:
        watts = self._counters.power() if self._counters else None
        if watts is not None:
            self._looks.append((self._now(), watts))
        return watts is not None


def integral(looks: list[tuple[float, float]]) -> float:
    """Joules under `(seconds, watts)` by the trapezoid rule; NaN for fewer than two looks."""
    if len(looks) < 2:
        return nan
    pairs = pairwise(looks)
    return sum((later - sooner) * (first + second) / 2 for (sooner, first), (later, second) in pairs)


LIBRARY = "libnvidia-ml.so.1"
OK = 0
SM_CLOCK, MEMORY_CLOCK = 1, 2  # nvmlClockType_t


class Nvml:
    """One GPU's counters; each is None where the driver or the card does not tell it."""

    def __init__(self, library: Any, uuid: str) -> None:
        """`uuid` as NVML writes it, `GPU-...`."""
        self._library, self._handle = library, ctypes.c_void_p()
        found = library.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(self._handle))
        self.usable = found == OK

    def energy(self) -> float | None:
        """Joules since the driver was loaded."""
        millijoules = self._asked("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong())
        return None if millijoules is None else millijoules / 1000

    def power(self) -> float | None:
        """Watts now."""
        milliwatts = self._asked("nvmlDeviceGetPowerUsage", ctypes.c_uint())
        return None if milliwatts is None else milliwatts / 1000

    def clocks(self) -> dict[str, float]:
        """MHz now, of what is told."""
        asked = {"sm": SM_CLOCK, "memory": MEMORY_CLOCK}
        told = {name: self._asked("nvmlDeviceGetClockInfo", ctypes.c_uint(), kind) for name, kind in asked.items()}
        return {name: clock for name, clock in told.items() if clock is not None}

    def _asked(self, function: str, number: Any, *arguments: int) -> float | None:
        call = getattr(self._library, function, None)
        if not self.usable or call is None or call(self._handle, *arguments, ctypes.byref(number)) != OK:
            return None
        return float(number.value)


def nvml_of(device: str) -> Nvml | None:
    """The counters of a CUDA device; None for a CPU, or where there is no driver."""
    import torch

    if torch.device(device).type != "cuda":
        return None
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        return None
    if library.nvmlInit_v2() != OK:
        return None
    nvml = Nvml(library, f"GPU-{torch.cuda.get_device_properties(device).uuid}")
    return nvml if nvml.usable else None

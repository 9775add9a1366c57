"""What a GPU's driver tells of energy, power and clocks: NVML, called without any package."""

import ctypes
from typing import Any

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

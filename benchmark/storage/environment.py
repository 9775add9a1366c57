"""Software versions, processor and GPU that a run was computed with."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmark import __version__

PACKAGES = ("torch", "lightning", "torchio", "nibabel", "numpy", "scipy", "pandas")


def environment(device: str) -> dict[str, str]:
    """Versions of Python and of the packages that numbers depend on, the processor and, if used, the GPU."""
    found = {
        "uadbench": __version__,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
    }
    if device.startswith("cuda"):
        import torch

        found["gpu"] = torch.cuda.get_device_name(device)
    return found | {name: _version(name) for name in PACKAGES}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {os.cpu_count()} cores"

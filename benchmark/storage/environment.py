"""Software versions, processor and GPU that fits and maps were made with, and where those of a run differ."""

import os
import platform
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmark import __version__
from benchmark.storage.fits import fit_record
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import cell_record
from benchmark.study.cells import Cell
from datasets.words import count_text

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


def mixtures(run: RunFolder, cells: Iterable[Cell]) -> dict[str, dict[str, list[str]]]:
    """By field of the environment in which a run's fits and cells differ, and by value, their names."""
    fields: dict[str, dict[str, list[str]]] = {}
    for name, known in _environments(run, cells).items():
        for field, value in known.items():
            fields.setdefault(field, {}).setdefault(value, []).append(name)
    return {field: values for field, values in fields.items() if len(values) > 1}


def _environments(run: RunFolder, cells: Iterable[Cell]) -> dict[str, Mapping[str, str]]:
    """Of each fit and cell, by its name; without those that record none."""
    cells = list(cells)
    fits = {cell.fit.name: cell.fit for cell in cells}
    kept = {name: fit_record(run.fit(fit), fit).get("environment") for name, fit in fits.items()}
    kept |= {cell.name: cell_record(run, cell).get("environment") for cell in cells}
    return {name: known for name, known in kept.items() if known}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.machine()}, {count_text(os.cpu_count() or 1, 'core')}"

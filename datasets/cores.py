"""usable_cores: how many processor cores this process may use."""

import os
from collections.abc import Iterator
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def usable_cores(groups: Path = GROUPS, own: Path = OWN_GROUPS) -> int:
    """By the process's affinity, and by the quota of its control group and of those around that one.

    Args:
        groups: where the kernel shows control groups, of version 2 or 1.
        own: the process's place among them; a line each: number, controllers, path.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(min([cores, *_quotas(groups, own)]), 1)


def _quotas(groups: Path, own: Path) -> Iterator[int]:
    """Cores that each group allows; none for a group without a limit."""
    for folder in _folders(groups, own):
        try:
            allowed, period = _limit(folder)
            yield round(int(allowed) / int(period))
        except (OSError, ValueError):  # no such group, or no limit ("max")
            continue


def _limit(folder: Path) -> tuple[str, str]:
    """Microseconds of processor time that the group may take in each period, and the period."""
    if (folder / "cpu.max").is_file():
        allowed, period = (folder / "cpu.max").read_text(encoding="ascii").split()
        return allowed, period
    allowed, period = ((folder / f"cpu.cfs_{name}_us").read_text(encoding="ascii") for name in ("quota", "period"))
    return ("max" if allowed.startswith("-") else allowed), period


def _folders(groups: Path, own: Path) -> Iterator[Path]:
    """The process's group and all around it, of the unified hierarchy and of the controller `cpu`'s own."""
    lines = own.read_text(encoding="utf-8").splitlines() if own.is_file() else []
    places = {controllers: path for _, controllers, path in (line.split(":", 2) for line in lines)}
    unified = places.get("", "/")
    alone = next((path for names, path in places.items() if "cpu" in names.split(",")), "/")
    for top, path in ((groups, unified), (groups / "cpu", alone)):
        folder = top / path.lstrip("/")
        yield from (folder, *(parent for parent in folder.parents if parent.is_relative_to(top)))

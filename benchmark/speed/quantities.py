"""NUMBERS: what `speed` measures, by name, with units."""

from collections.abc import Mapping
from math import isnan
from typing import NamedTuple

from benchmark.inference.timing import STAGES

NOT_MEASURABLE = "not measurable"


class Number(NamedTuple):
    """How one number is shown: its title, its unit, and what it is divided by to be in that unit."""

    title: str
    unit: str
    scale: float = 1


STAGE_TITLES = {"read": "reading", "copy": "copying", "compute": "computing", "post": "checking", "write": "writing"}

NUMBERS: Mapping[str, Number] = {
    "seconds_p50": Number("computing a volume, median", "s"),
    "seconds_p95": Number("computing a volume, 95th percentile", "s"),
    "volumes_per_second": Number("volumes, disk to kept maps", "1/s"),
    "slices_per_second": Number("slices with brain", "1/s"),
    **{f"{stage}_seconds": Number(f"{STAGE_TITLES[stage]} a volume", "s") for stage in STAGES},
    "parameters": Number("parameters", "M", 1e6),
    "flops_per_volume": Number("operations a volume", "TFLOP", 1e12),
    "matrix_flops_per_second": Number("rate of a matrix product", "TFLOP/s", 1e12),
    "share_of_matrix_rate": Number("share of that rate", "%", 1e-2),
    "peak_bytes": Number("most memory of the device", "MB", 1e6),
    "reserved_bytes": Number("most memory reserved on a GPU", "MB", 1e6),
    "host_bytes": Number("most memory of the process", "MB", 1e6),
    "joules_per_volume": Number("energy a volume", "J"),
    "sm_mhz": Number("clock of the multiprocessors", "MHz"),
    "memory_mhz": Number("clock of the memory", "MHz"),
    "map_difference": Number("largest difference of a map to the first", ""),
    "dice_difference": Number("Dice, less that of the first", ""),
}


def shown(name: str, value: float) -> str:
    """A number with its unit, four digits; never 0 for what cannot be measured."""
    number = NUMBERS[name]
    return NOT_MEASURABLE if isnan(value) else f"{value / number.scale:.4g} {number.unit}".rstrip()

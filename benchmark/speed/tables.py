"""Timings as rows, as JSON and as text, and the quantities that they hold."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmark.inference.usage import STAGES
from benchmark.storage.rows import Row, blank_row, write_rows
from datasets.words import count_text

if TYPE_CHECKING:
    from benchmark.speed.sweep import Timing

NOT_MEASURABLE = "not measurable"


class Quantity(NamedTuple):
    """A measured quantity: its title, its unit, and what a value is divided by to be in that unit."""

    title: str
    unit: str
    scale: float = 1


STAGE_TITLES = {"read": "reading", "copy": "copying", "compute": "computing", "post": "checking", "write": "writing"}

QUANTITIES: Mapping[str, Quantity] = {
    "seconds_p50": Quantity("computing a volume, median", "s"),
    "seconds_p95": Quantity("computing a volume, 95th percentile", "s"),
    "volumes_per_second": Quantity("volumes, disk to kept maps", "1/s"),
    "slices_per_second": Quantity("slices with brain", "1/s"),
    **{f"{stage}_seconds": Quantity(f"{STAGE_TITLES[stage]} a volume", "s") for stage in STAGES},
    "parameters": Quantity("parameters", "M", 1e6),
    "flops_per_volume": Quantity("operations a volume", "TFLOP", 1e12),
    "matrix_flops_per_second": Quantity("rate of a matrix product", "TFLOP/s", 1e12),
    "share_of_matrix_rate": Quantity("share of that rate", "%", 1e-2),
    "peak_bytes": Quantity("most memory of the device", "MB", 1e6),
    "reserved_bytes": Quantity("most memory reserved on a GPU", "MB", 1e6),
    "host_bytes": Quantity("most memory of the process", "MB", 1e6),
    "joules_per_volume": Quantity("energy a volume", "J"),
    "sm_mhz": Quantity("clock of the multiprocessors", "MHz"),
    "memory_mhz": Quantity("clock of the memory", "MHz"),
    "map_difference": Quantity("largest difference of a map to the first", ""),
    "dice_difference": Quantity("Dice, less that of the first", ""),
}


def timing_rows(timing: "Timing") -> list[Row]:
    """In the form of a run's `timing.csv`: `seconds` a case and `peak_bytes`, then what else was measured.

    The settings are in `flags`: rows of one cell differ in nothing else.
    """
    blank = replace(blank_row(timing.cell), flags=flags_of(timing))
    seconds = [
        replace(blank, metric="seconds", case_id=case_id, value=value)
        for case_id, value in timing.measured.case_seconds.items()
    ]
    return [*seconds, *(replace(blank, metric=name, value=value) for name, value in timing.numbers.items())]


def flags_of(timing: "Timing") -> str:
    """The settings as words: `fp32 cpu batch=16 compiled`."""
    inference = timing.measured.inference
    words = [inference.precision, inference.device, f"batch={inference.slice_batch}"]
    words += ["compiled"] if inference.compiled else []
    words += [f"halved={timing.measured.halvings}"] if timing.measured.halvings else []
    return " ".join(words)


def write_timings(path: Path, timings: Iterable["Timing"], before: Iterable[Row] = ()) -> None:
    """Write the timings; rows of `before` stay unless the same measurement was repeated."""
    new = [row for timing in timings for row in timing_rows(timing)]
    measured = {_measurement(row) for row in new}
    write_rows(path, [*(row for row in before if _measurement(row) not in measured), *new])


def shown(name: str, value: float) -> str:
    """A value with its unit, four digits; never 0 for what cannot be measured."""
    quantity = QUANTITIES[name]
    return NOT_MEASURABLE if isnan(value) else f"{value / quantity.scale:.4g} {quantity.unit}".rstrip()


def _measurement(row: Row) -> tuple[str, ...]:
    return row.method, row.dataset, row.sequence, row.flags


def timings_as_json(timings: Iterable["Timing"], environment: Mapping[str, str]) -> dict[str, Any]:
    """For machines; what cannot be measured is null."""
    return {"environment": dict(environment), "timings": [_plain(timing) for timing in timings]}


def timings_as_text(timings: Sequence["Timing"]) -> str:
    """A block a timing: its name, and a line a quantity."""
    return "\n\n".join("\n".join(_lines(timing)) for timing in timings)


def _plain(timing: "Timing") -> dict[str, Any]:
    cell, measured = timing.cell, timing.measured
    return {
        "method": cell.fit.method,
        "dataset": cell.cohort.dataset,
        "key": cell.key,
        "weights": timing.weights,
        "inference": asdict(measured.inference),
        "volumes": len(measured.case_seconds),
        "halvings": measured.halvings,
        "energy_source": measured.energy_source,
        "seconds": dict(measured.case_seconds),
        "numbers": {name: None if isnan(value) else value for name, value in timing.numbers.items()},
    }


def _lines(timing: "Timing") -> Iterable[str]:
    measured = timing.measured
    where = (
        f"{count_text(len(measured.case_seconds), 'volume')} of {timing.cell.cohort.dataset}, weights {timing.weights}"
    )
    yield f"{timing.cell.fit.method} ({flags_of(timing)}; {where})"
    width = max(len(quantity.title) for quantity in QUANTITIES.values())
    for name, value in timing.numbers.items():
        yield f"  {QUANTITIES[name].title:<{width}}  {shown(name, value)}"

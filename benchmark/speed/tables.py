"""Timings as rows, as JSON and as text."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from math import isnan
from pathlib import Path
from typing import Any

from benchmark.speed.quantities import NUMBERS, shown
from benchmark.speed.sweep import Timing
from benchmark.storage.rows import Row, blank_row, write_rows


def rows_of(timing: Timing) -> list[Row]:
    """In the form of a run's `timing.csv`: `seconds` a case and `peak_bytes`, then what else was measured.

    How it was computed stands in `flags`, since rows of one cell differ in nothing else.
    """
    blank = replace(blank_row(timing.cell), flags=flags_of(timing))
    seconds = [
        replace(blank, metric="seconds", case_id=case_id, value=value)
        for case_id, value in timing.measured.case_seconds.items()
    ]
    return [*seconds, *(replace(blank, metric=name, value=value) for name, value in timing.numbers.items())]


def flags_of(timing: Timing) -> str:
    """Words apart by blanks: `fp32 cpu batch=16 compiled`."""
    inference = timing.measured.inference
    words = [inference.precision, inference.device, f"batch={inference.slice_batch}"]
    words += ["compiled"] if inference.compiled else []
    words += [f"halved={timing.measured.halvings}"] if timing.measured.halvings else []
    return " ".join(words)


def write_csv(path: Path, timings: Iterable[Timing], before: Iterable[Row] = ()) -> None:
    """Rows of before stay, unless the same method was measured anew in the same way on the same cohort."""
    new = [row for timing in timings for row in rows_of(timing)]
    measured = {_way(row) for row in new}
    write_rows(path, [*(row for row in before if _way(row) not in measured), *new])


def _way(row: Row) -> tuple[str, ...]:
    return row.method, row.dataset, row.sequence, row.flags


def as_json(timings: Iterable[Timing], environment: Mapping[str, str]) -> dict[str, Any]:
    """For machines; what cannot be measured is null."""
    return {"environment": dict(environment), "timings": [_plain(timing) for timing in timings]}


def as_text(timings: Sequence[Timing]) -> str:
    """A block a timing: its name, and a line a number."""
    return "\n\n".join("\n".join(_lines(timing)) for timing in timings)


def _plain(timing: Timing) -> dict[str, Any]:
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


def _lines(timing: Timing) -> Iterable[str]:
    measured = timing.measured
    where = f"{len(measured.case_seconds)} volumes of {timing.cell.cohort.dataset}, weights {timing.weights}"
    yield f"{timing.cell.fit.method} ({flags_of(timing)}; {where})"
    width = max(len(number.title) for number in NUMBERS.values())
    for name, value in timing.numbers.items():
        yield f"  {NUMBERS[name].title:<{width}}  {shown(name, value)}"

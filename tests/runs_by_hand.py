"""A run whose rows are written by hand: three methods, two lesion cohorts, healthy scans, two levels of a shift."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from cohorts import TINY

from benchmark.storage.folder import RunFolder, create_run
from benchmark.storage.rows import Row, blank_row, reference_row
from benchmark.storage.run_record import Scoring, add_study
from benchmark.storage.run_tables import write_run_rows
from benchmark.study.cells import Cell, Cohort, Fit, Reference
from benchmark.study.study import Study
from datasets.shifts import Shift

MEANS = {"good": 0.45, "equal": 0.45, "bad": 0.3}
SIZES = {"volunteers": 20, "patients": 30, "inpatients": 4}
LESIONS = ("patients", "inpatients")
DOSES = {1.0: 0.1, 2.0: 0.2}  # of the shift `blur`, by level


def write_run(
    root: Path,
    *,
    seeds: Sequence[int] = (0, 1, 2),
    means: Mapping[str, float] = MEANS,
    second: Mapping[str, float] | None = None,
    perfect: float | None = None,
    sequence: str = "t1",
) -> RunFolder:
    """`inpatients` are too few to be tested; every level of the shift costs a tenth of what is left.

    Args:
        second: means under the second endpoint; default: 0.02 above those under the first.
        perfect: mean Dice of the perfect map; None for no row of it.
    """
    home = Cohort("volunteers", sequence, "d")
    fits = [Fit(name, "module:Class", {"size": 8}, home, TINY, seed) for name in means for seed in seeds]
    shifts = (Shift(), *(Shift("blur", severity) for severity in DOSES))
    cells = tuple(Cell(fit, Cohort(name, sequence, "d"), shift) for fit in fits for shift in shifts for name in SIZES)
    run = create_run(root)
    references = tuple(Reference(Cohort(name, sequence, "d"), TINY, ("val", "test"), None) for name in LESIONS)
    add_study(run, Study(cells, references, {}), Scoring(("light",), ("lesion-val", "healthy-fpr-1", "oracle")), root)
    others = second or {name: mean + 0.02 for name, mean in means.items()}
    rows = [row for cell in cells for row in _rows(cell, means[cell.fit.method], others[cell.fit.method])]
    rows += [row for reference in references for row in _perfect_rows(reference, perfect)]
    write_run_rows(run, "rows.csv", [row for row in rows if row.metric not in ("seconds", "peak_bytes")])
    write_run_rows(run, "timing.csv", [row for row in rows if row.metric in ("seconds", "peak_bytes")])
    return run


def write_people(data: Path) -> None:
    """Who the volunteers and patients are; of inpatients nothing is known."""
    for name in ("volunteers", "patients"):
        path = data / name / "cases.csv"
        path.parent.mkdir(parents=True)
        with path.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(["case_id", "subject_id", "split", "sequences", "site", "age", "sex"])
            for index in range(SIZES[name]):
                age = "" if index == 0 else str(20 + 3 * index)
                writer.writerow([_name(index), _name(index), "test", "t1", "AB"[index % 2], age, "FM"[index % 2]])


def _name(index: int) -> str:
    return f"p{index:02d}"


def _perfect_rows(reference: Reference, dice: float | None) -> Iterator[Row]:
    blank = replace(reference_row(reference), split="test", postprocessing="light", metric="dice")
    for index in range(SIZES[reference.cohort.dataset]) if dice is not None else ():
        yield replace(blank, case_id=_name(index), subject_id=_name(index), value=dice or 0.0)


def _rows(cell: Cell, mean: float, second: float) -> Iterator[Row]:
    size, level = SIZES[cell.cohort.dataset], cell.shift.severity
    base = np.random.default_rng(size).normal(0, 0.1, size)
    noise = np.random.default_rng([cell.fit.seed, *cell.fit.method.encode()]).normal(0, 0.01, size)
    values = (mean + base + noise - noise.mean()) * (1 - level / 10)
    blank = replace(blank_row(cell), split="test", postprocessing="light")
    yield replace(blank, case_id="", split="", postprocessing="", metric="peak_bytes", value=2e9)
    for index, value in enumerate(values.tolist()):
        one = replace(blank, case_id=_name(index), subject_id=_name(index))
        yield replace(one, postprocessing="", metric="seconds", value=0.5 if cell.fit.method == "bad" else 1.0)
        if level:
            yield replace(one, postprocessing="", metric="shift_dose", value=DOSES[level])
        if cell.cohort.dataset == "volunteers":
            fixed = replace(one, protocol="healthy-fpr-1")
            yield replace(fixed, metric="alarm", value=float(index < 5))
            yield replace(fixed, metric="alarms", value=float(index % 3))
            yield replace(fixed, metric="alarm_ml", value=value)
            yield replace(fixed, metric="alarm_fraction", value=value / 100)
        else:
            yield replace(one, protocol="healthy-fpr-1", metric="dice", value=value)
            yield replace(one, protocol="lesion-val", metric="dice", value=value + (second - mean) * (1 - level / 10))
            yield replace(one, protocol="oracle", metric="dice", value=value + 0.1)
            yield replace(one, metric="auprc", value=value**2)
            yield replace(one, postprocessing="", metric="lesion_ml", value=1.0 + index)

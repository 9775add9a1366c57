"""map_again: map a random sample of cases from the stored weights, and compare with the stored maps."""

import random
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from benchmark.execution.fit_methods import FitContext, load_or_fit
from benchmark.inference.predict import predict_cell
from benchmark.inference.settings import Inference
from benchmark.methods.detector import LabelledDetector
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import read_volume, write_volume
from benchmark.storage.run_record import has_maps
from benchmark.study.cells import Cell, Precision
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.errors import MissingData
from datasets.io.atomic import read_json
from datasets.io.nifti import LEVELS

# Share of the largest value of a map that rounding on another device or slice batch may change.
TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "bf16": 2e-2, "fp16": 5e-3}


def map_again(run: RunFolder, study: Study, *, sample: int, seed: int, device: str) -> tuple[str, tuple[str, ...]]:
    """Map `sample` cases drawn with `seed` again, each with the weights of its fit and the sampling seed of its cell.

    With the device and slice batch of the run maps are equal bit for bit; with others they may differ by rounding.

    Returns:
        What was compared, in words, with the number of equal maps; and a line for each map that differs by more.
    """
    drawn = _drawn(run, study, sample, seed)
    faults, exact = list[str](), 0
    for cell, one in drawn:
        where = f"{cell.fit.method} on {cell.where}, seed {cell.fit.seed}, case {one.case_id}"
        try:
            kept, again = read_volume(run.anomaly_map(cell, one.case_id)), _mapped(run, study, cell, one, device)
        except Exception as error:  # a detector or a torn file may raise anything: a fault of this map
            faults.append(f"{where}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            continue
        exact += int(np.array_equal(kept, again))
        allowed = (TOLERANCE[cell.precision] + 1 / LEVELS) * float(kept.max())
        largest = float(np.abs(kept - again).max())
        if largest > allowed:
            faults.append(f"{where}: differs by up to {largest:.2g}, expected at most {allowed:.2g}")
    looked_at = f"{len(drawn)} cases mapped again on {device} (drawn with seed {seed}), {exact} equal bit for bit"
    return looked_at, tuple(faults)


def _drawn(run: RunFolder, study: Study, sample: int, seed: int) -> list[tuple[Cell, CaseFiles]]:
    """A random sample of mapped cases, sorted by cell so that each detector is loaded once."""
    there = [(cell, one) for cell in study.cells if has_maps(run, cell) for one in study.mapped_cases(cell)]
    chosen = sorted(random.Random(seed).sample(range(len(there)), min(sample, len(there))))
    return [there[index] for index in chosen]


def _mapped(run: RunFolder, study: Study, cell: Cell, one: CaseFiles, device: str) -> NDArray[np.float32]:
    """The map of one case, rounded to the 16 bits of a file."""
    if not (run.fit(cell.fit) / "fit.json").is_file():
        raise MissingData(f"no finished fit at {run.fit(cell.fit)}")
    detector = load_or_fit(FitContext(study, run, device, 1), cell.fit, mend=False)
    inference = replace(_inference(run, cell), device=device, precision=cell.precision)
    files = study.mapped_cases(cell) if isinstance(detector, LabelledDetector) else [one]
    found = next(made for made in predict_cell(detector, files, cell, inference) if made.case.case_id == one.case_id)
    with TemporaryDirectory(prefix="uadbench-verify-") as place:
        path = Path(place) / "map.nii.gz"
        write_volume(path, found.anomaly_map, found.case.affine)
        return read_volume(path)


def _inference(run: RunFolder, cell: Cell) -> Inference:
    """The settings that the maps were computed with; default values for settings added since."""
    stored = read_json(run.cell(cell) / "cell.json").get("inference") or {}
    return Inference(**{field.name: stored[field.name] for field in fields(Inference) if field.name in stored})

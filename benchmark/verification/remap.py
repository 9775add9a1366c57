"""map_again: map a random sample of cases from the stored weights, and compare with the stored maps."""

import random
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.execution.fit_methods import FitContext, load_or_fit
from benchmark.inference.predict import predict_cell
from benchmark.inference.settings import Inference
from benchmark.methods.detector import LabelledDetector
from benchmark.storage.folder import RunFolder
from benchmark.storage.maps import FEWEST_BITS, read_map, round_in_order
from benchmark.storage.run_record import cell_record, has_maps
from benchmark.study.cells import Cell, Precision
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.errors import MissingData

# What rounding on another device or slice batch may change, as a share of a voxel's value or, where that is larger, of
# the value that 1 % of a map's voxels above 0 exceed.
TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "bf16": 2e-2, "fp16": 5e-3}


def map_again(run: RunFolder, study: Study, *, sample: int, seed: int, device: str) -> tuple[str, tuple[str, ...]]:
    """Map `sample` cases drawn with `seed` again, one of each fit at least, as they were mapped the first time.

    With the device and slice batch of the run maps are equal bit for bit; with others they may differ by rounding.

    Returns:
        What was compared, in words, with the number of equal maps; and a line for each map that differs by more.
    """
    drawn = _drawn(run, study, sample, seed)
    faults, exact = list[str](), 0
    for cell, one in drawn:
        where = f"{cell.fit.method} on {cell.where}, seed {cell.fit.seed}, case {one.case_id}"
        try:
            kept, again = read_map(run, cell, one.case_id), _mapped(run, study, cell, one, device)
        except Exception as error:  # a detector or a torn file may raise anything: a fault of this map
            faults.append(f"{where}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
            continue
        exact += int(np.array_equal(kept, again))
        change, allowed = np.abs(kept - again), _allowed(kept, cell.precision)
        if (change > allowed).any():
            worst = np.unravel_index(int((change - allowed).argmax()), kept.shape)
            faults.append(f"{where}: differs by {change[worst]:.2g}, expected at most {allowed[worst]:.2g}")
    looked_at = f"{len(drawn)} cases mapped again on {device} (drawn with seed {seed}), {exact} equal bit for bit"
    return looked_at, tuple(faults)


def _drawn(run: RunFolder, study: Study, sample: int, seed: int) -> list[tuple[Cell, CaseFiles]]:
    """A random sample of mapped cases, one of each fit at least, by cell so that each detector is loaded once."""
    there = [(cell, one) for cell in study.cells if has_maps(run, cell) for one in study.mapped_cases(cell)]
    shuffled = random.Random(seed).sample(range(len(there)), len(there))
    first = {there[index][0].fit.key: index for index in reversed(shuffled)}.values()
    rest = [index for index in shuffled if index not in set(first)]
    return [there[index] for index in sorted([*first, *rest[: max(0, sample - len(first))]])]


def _mapped(run: RunFolder, study: Study, cell: Cell, one: CaseFiles, device: str) -> NDArray[np.float32]:
    """The map of one case, rounded as in its file."""
    if not (run.fit(cell.fit) / "fit.json").is_file():
        raise MissingData(f"no finished fit at {run.fit(cell.fit)}")
    detector = load_or_fit(FitContext(study, run, device), cell.fit, mend=False)
    inference = replace(_inference(run, cell), device=device, precision=cell.precision)
    files = study.mapped_cases(cell) if isinstance(detector, LabelledDetector) else [one]
    found = next(made for made in predict_cell(detector, files, cell, inference) if made.case.case_id == one.case_id)
    return round_in_order(found.anomaly_map)


def _allowed(kept: NDArray[np.float32], precision: Precision) -> NDArray[np.float32]:
    """How far another map of the case may be from the kept one, voxel by voxel."""
    positive = kept[kept > 0]
    common = float(np.quantile(positive, 0.99)) if positive.size else 0.0
    return TOLERANCE[precision] * np.maximum(kept, common) + kept * 2.0**-FEWEST_BITS


def _inference(run: RunFolder, cell: Cell) -> Inference:
    """The settings that the maps were computed with; default values for settings added since."""
    stored = cell_record(run, cell).get("inference") or {}
    return Inference(**{field.name: stored[field.name] for field in fields(Inference) if field.name in stored})

"""map_again: map a random sample of cases from the stored weights, and compare with the stored maps."""

import random
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmark.execution.worker import QUIET_SECONDS
from benchmark.inference.cpu import compute_as_parent, threads_here
from benchmark.inference.predict import fitted_detector, is_transductive, predict_cell
from benchmark.inference.settings import Inference
from benchmark.methods.apart import Apart
from benchmark.methods.detector import Detector, LabelledDetector
from benchmark.methods.registry import Method, identity, runs_apart
from benchmark.storage.environment import environment
from benchmark.storage.fits import FitFolder
from benchmark.storage.folder import RunFolder, open_run
from benchmark.storage.maps import FEWEST_BITS, read_volume, round_in_order
from benchmark.storage.run_record import cell_record, has_maps
from benchmark.study.cells import Cell, Fit, Precision
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.errors import one_line
from datasets.words import count_text

# What rounding on another device or slice batch may change, as a share of a voxel's value or, where that is larger, of
# the value that 1 % of a map's voxels above 0 exceed.
TOLERANCE: dict[Precision, float] = {"fp32": 1e-4, "bf16": 2e-2, "fp16": 5e-3}


@dataclass(frozen=True)
class Sample:
    """Which maps are made again.

    Attributes:
        seed: that cases are drawn with.
        cases: at least so many of all; None for every case.
        each: of each fit, or of each cell, one at least.
    """

    seed: int
    cases: int | None
    each: Literal["fit", "cell"] = "fit"


@dataclass(frozen=True)
class Remade:
    """The outcome of making maps again.

    Attributes:
        looked_at: in words, with the number of equal maps.
        faults: a line for each map that differs by more than rounding, or cannot be made.
        cells: keys of those of which a map was made again.
        left_out: a line for each method whose code is not run here.
    """

    looked_at: str
    faults: tuple[str, ...]
    cells: tuple[str, ...]
    left_out: tuple[str, ...]


def map_again(run: RunFolder, study: Study, sample: Sample, methods: Mapping[str, Method], device: str) -> Remade:
    """Map some cases of a study again, as they were mapped the first time, and compare with the kept maps.

    With the device and slice batch of the run maps are equal bit for bit; with others they may differ by rounding.

    Args:
        methods: whose code may be run, by `identity`; of others, whatever the study says, nothing is imported.
    """
    known = {cell.key: methods.get(identity(cell.fit.target)) for cell in study.cells}
    foreign = {cell.fit.method: cell.fit.target for cell in study.cells if known[cell.key] is None}
    faults, exact, within, remade = list[str](), 0, dict[str, int](), dict[str, None]()
    drawn = _drawn([cell for cell in study.cells if known[cell.key] is not None and has_maps(run, cell)], study, sample)
    with closing(_Makers(run, study, device)) as makers:
        for cell, one in drawn:
            where = f"{cell.fit.method} on {cell.where}, seed {cell.fit.seed}, case {one.case_id}"
            method = known[cell.key]
            assert method is not None
            try:
                kept = read_volume(run.anomaly_map(cell, one.case_id), cell.fit.grid.shape)  # whatever its digest
                again = makers.map(cell, one, method.target)
            except Exception as error:  # a detector or a torn file may raise anything: a fault of this map
                faults.append(f"{where}: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
                continue
            remade[cell.key] = None
            if np.array_equal(kept, again):
                exact += 1
                continue
            change, allowed = np.abs(kept - again), _allowed(kept, cell.precision)
            if (change > allowed).any():
                worst = np.unravel_index(int((change - allowed).argmax()), kept.shape)
                faults.append(f"{where}: differs by {change[worst]:.2g}, expected at most {allowed[worst]:.2g}")
            else:
                why = _why_not_equal(run, cell, device)
                within[why] = within.get(why, 0) + 1
    looked_at = (
        f"{count_text(len(drawn), 'case')} mapped again on {device} (drawn with seed {sample.seed}), "
        f"{exact} equal bit for bit"
    )
    looked_at += "".join(f", {count} within tolerance ({why})" for why, count in within.items())
    left_out = [
        f"{name}: maps not remade: its code ({target}) is not run here; to run it, name it: --plugin"
        for name, target in foreign.items()
    ]
    return Remade(looked_at, tuple(faults), tuple(remade), tuple(left_out))


def _why_not_equal(run: RunFolder, cell: Cell, device: str) -> str:
    """What is other than when a cell was mapped, so that sums are rounded in another way."""
    before, now = cell_record(run, cell).get("environment") or {}, environment(device)
    told = [
        f"{name} {before[name]} then, {now.get(name, 'none')} now" for name in before if before[name] != now.get(name)
    ]
    return "; ".join(told) or "the same device and versions: its operations do not repeat bit for bit"


def _drawn(cells: Sequence[Cell], study: Study, sample: Sample) -> list[tuple[Cell, CaseFiles]]:
    """A random sample of mapped cases, by cell, so that each detector is loaded once."""
    there = [(cell, one) for cell in cells for one in study.mapped_cases(cell)]
    if sample.cases is None:
        return there
    shuffled = random.Random(sample.seed).sample(range(len(there)), len(there))
    groups = [there[index][0].key if sample.each == "cell" else there[index][0].fit.key for index in shuffled]
    first = dict(reversed(list(zip(groups, shuffled, strict=True)))).values()
    rest = [index for index in shuffled if index not in set(first)]
    return [there[index] for index in sorted([*first, *rest[: max(0, sample.cases - len(first))]])]


class _Mapper:
    """Maps single cases as they were mapped the first time; holds the latest detector alone, for memory's sake."""

    def __init__(self, run: RunFolder, study: Study, device: str) -> None:
        self.run, self.study, self.device = run, study, device
        self.held: tuple[str, Detector] | None = None

    def map(self, cell: Cell, one: CaseFiles, target: str) -> NDArray[np.float32]:
        """The map of one case, rounded as in its file."""
        detector = self._detector(cell.fit, target)
        inference = replace(_inference(self.run, cell), device=self.device, precision=cell.precision)
        depends = isinstance(detector, LabelledDetector) or is_transductive(detector)
        files = self.study.mapped_cases(cell) if depends else [one]
        maps = predict_cell(detector, files, cell, inference)
        return round_in_order(next(made for made in maps if made.case.case_id == one.case_id).anomaly_map)

    def write(self, cell: Cell, one: CaseFiles, target: str, place: Path) -> str:
        """Write the map as an array; what was raised instead, if anything was."""
        try:
            np.save(place, self.map(cell, one, target))
        except Exception as error:
            return one_line(error)
        return ""

    def _detector(self, fit: Fit, target: str) -> Detector:
        if self.held is None or self.held[0] != fit.key:
            self.held = None
            self.held = fit.key, fitted_detector(FitFolder(self.run.fit(fit), fit), target, self.device)
        return self.held[1]


class _Makers:
    """Maps built-in methods in this process, and each fit of a plugin in its own."""

    def __init__(self, run: RunFolder, study: Study, device: str) -> None:
        self.given = run, study, device
        self.here: _Mapper | None = None
        self.apart: tuple[str, Apart] | None = None

    def close(self) -> None:
        if self.apart is not None:
            self.apart[1].close()
        self.here = self.apart = None

    def map(self, cell: Cell, one: CaseFiles, target: str) -> NDArray[np.float32]:
        """The map of one case, rounded as in its file.

        Raises:
            ValueError: a plugin raises, or makes what is no map.
            Ended: its process ends.
        """
        if not runs_apart(target):
            if self.here is None:
                self.close()
                self.here = _Mapper(*self.given)
            return self.here.map(cell, one, target)
        if self.apart is None or self.apart[0] != cell.fit.key:
            self.close()
            process = Apart(_mapper_apart, *self.given, threads_here())
            self.apart = cell.fit.key, process
        with TemporaryDirectory(prefix="uadbench-verify-") as folder:
            place = Path(folder) / "map.npy"
            if told := self.apart[1].ask("write", cell, one, target, place, quiet_seconds=QUIET_SECONDS):
                raise ValueError(told)
            found = np.load(place, mmap_mode="r", allow_pickle=False)
            if (found.shape, found.dtype) != (cell.fit.grid.shape, np.float32):
                raise ValueError(f"got {found.dtype} {found.shape}, expected float32 {cell.fit.grid.shape}")
            return np.array(found)


def _mapper_apart(run: RunFolder, study: Study, device: str, threads: int) -> _Mapper:
    """In the process of a plugin."""
    compute_as_parent(threads)
    open_run(run.root)  # registers the user's own cohorts
    return _Mapper(run, study, device)


def _allowed(kept: NDArray[np.float32], precision: Precision) -> NDArray[np.float32]:
    """How far another map of the case may be from the kept one, voxel by voxel."""
    positive = kept[kept > 0]
    common = float(np.quantile(positive, 0.99)) if positive.size else 0.0
    return TOLERANCE[precision] * np.maximum(kept, common) + kept * 2.0**-FEWEST_BITS


def _inference(run: RunFolder, cell: Cell) -> Inference:
    """The settings that the maps were computed with; default values for settings added since."""
    stored = cell_record(run, cell).get("inference") or {}
    return Inference(**{field.name: stored[field.name] for field in fields(Inference) if field.name in stored})

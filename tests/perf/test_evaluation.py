"""Speed of a whole evaluation on the published grid against a plain pipeline in the same run, and its memory."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from subprocess import run
from time import process_time

import numpy as np
import plain
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage

from benchmark.metrics import scored
from benchmark.metrics.ground_truth import ground_truth_of
from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.postprocessing.steps import median_edge
from benchmark.scoring.evaluation import evaluate_maps
from benchmark.scoring.processed_maps import OWN, process
from benchmark.scoring.ranking_pass import Mapped
from benchmark.scoring.settings import Settings, Source, settings_named
from benchmark.storage.folder import RunFolder
from benchmark.study.cells import Cell, Cohort, Fit
from benchmark.study.protocols import PROTOCOLS
from datasets.case import Case, CaseFiles
from datasets.grid import GRIDS, Grid

EVERY_PROTOCOL = (*PROTOCOLS, "transfer:elsewhere")
BUT_SURFACES = tuple(name for name in scored() if name not in ("hd95", "surface_dice"))


def mapped(index: int, grid: Grid, split: str, *, healthy: bool = False) -> Mapped:
    """An ellipsoid brain with up to three lesions and a residual: grainy, smooth in part, higher in the lesion."""
    rng = np.random.default_rng(index)
    size = np.array(grid.shape)
    places = np.moveaxis(np.indices(grid.shape), 0, -1)
    brain = (((places - size / 2) / (size * (0.36, 0.44, 0.52))) ** 2).sum(axis=-1) < 1
    lesion = np.zeros_like(brain)
    for _ in range(0 if healthy else rng.integers(1, 4)):
        middle, radius = size / 2 + rng.uniform(-0.2, 0.2, 3) * size, rng.uniform(0.02, 0.12) * size[0]
        lesion |= (((places - middle) ** 2).sum(axis=-1) < radius**2) & brain
    grain, smooth = rng.normal(size=(2, *grid.shape))
    residual = np.abs(0.05 * grain + 0.4 * ndimage.gaussian_filter(smooth, 2) + 0.1 * lesion)
    files = CaseFiles(f"case-{index}", Path(), Path(), None if healthy else Path(), f"subject-{index}", "", split)  # type: ignore[arg-type]
    affine = np.diag([grid.spacing] * 3 + [1.0])
    case = Case(files.case_id, np.zeros((1, *grid.shape), np.float32), brain, None if healthy else lesion, affine)
    return None, ground_truth_of(files, case), {OWN: (residual * brain).astype(np.float32)}


def a_cell(grid: Grid) -> Cell:
    healthy = Cohort("volunteers", "t1", "0")
    return Cell(Fit("by-hand", "nowhere:Nothing", {}, healthy, grid, 0), Cohort("patients", "t1", "1"))


def settings(pipeline: str, grid: Grid) -> Settings:
    named = settings_named([pipeline], EVERY_PROTOCOL, BUT_SURFACES)
    of_scan = {one.name: one.of_scan for one in named.protocols if one.of_scan is not None}
    scans: dict[str, list[float]] = {name: [] for name in of_scan}
    for index in range(10):
        _, truth, kept = mapped(1000 + index, grid, "val", healthy=True)
        processed = process(kept[OWN], truth, named.pipelines[0])
        for name, function in of_scan.items():
            scans[name].append(function(processed.filtered, processed.finished))
    return replace(named, healthy={pipeline: scans}, sources={"elsewhere": Source("2", {pipeline: 0.3})})


def seconds_of(work: Iterator[object]) -> float:
    begin = process_time()
    for _ in work:
        pass
    return process_time() - begin


@pytest.mark.parametrize(("pipeline", "times"), [("paper", 4.5), ("paper-no-median", 9)])
def test_every_protocol_and_metric_but_surfaces_is_faster_by_so_much_than_the_plain_pipeline(
    benchmark: BenchmarkFixture, tmp_path: Path, pipeline: str, times: float
) -> None:
    grid = GRIDS["paper"]
    cases = [mapped(index, grid, ("val", "test")[index % 2]) for index in range(8)]
    chosen = settings(pipeline, grid)
    run = RunFolder(tmp_path / "run")

    def ours() -> int:
        return sum(1 for _ in evaluate_maps(run, a_cell(grid), iter(cases), chosen))

    assert benchmark(ours) > 600
    median = sum(
        median_edge(step.values["mm"], grid.spacing) for step in pipeline_named(pipeline).steps if step.name == "median"
    )
    theirs = min(seconds_of(plain.score(kept[OWN], one, median) for _, one, kept in cases) for _ in range(2))
    own = min(seconds_of(evaluate_maps(run, a_cell(grid), iter(cases), chosen)) for _ in range(3))
    benchmark.extra_info |= {
        "own_ms_a_volume": 1000 * own / len(cases),
        "plain_ms_a_volume": 1000 * theirs / len(cases),
        "times_as_fast": theirs / own,
    }
    assert theirs > times * own


def peak(count: int, folder: Path) -> int:
    """Most memory in bytes that this process has held, after scoring so many cases."""
    grid = GRIDS["quick"]
    maps = (mapped(index, grid, ("val", "test")[index % 2]) for index in range(count))
    for _ in evaluate_maps(RunFolder(folder), a_cell(grid), maps, settings("light", grid)):
        pass
    return 1024 * getrusage(RUSAGE_SELF).ru_maxrss


@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss has other units elsewhere")
def test_resident_memory_does_not_grow_from_100_cases_to_400(tmp_path: Path) -> None:
    """Each in a process of its own, which has held nothing else; 100 fill the band of scores that is held at once."""
    peaks = []
    for count in (100, 400):
        command = [sys.executable, __file__, str(count), str(tmp_path / str(count))]
        peaks.append(int(run(command, capture_output=True, check=True).stdout))
    few, many = peaks
    assert many < few + 20e6


if __name__ == "__main__":
    print(peak(int(sys.argv[1]), Path(sys.argv[2])))

"""Speed of a whole evaluation on the published grid against a plain pipeline in the same run, and its memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from time import process_time

import numpy as np
import plain
import pytest
from pytest_benchmark.fixture import BenchmarkFixture
from scipy import ndimage

from benchmark.anatomy import anatomy_of
from benchmark.asked import Choices, Source
from benchmark.evaluation import evaluate_maps
from benchmark.firstpass import Mapped
from benchmark.healthy import HealthyScan, look_at
from benchmark.metrics import SCORED
from benchmark.postprocessing import CHAINS
from benchmark.runfolder import RunFolder
from benchmark.shelf import process
from benchmark.study import Cell, Cohort, Fit
from benchmark.thresholds import PROTOCOLS
from datasets.case import Case, CaseFiles
from datasets.grid import GRIDS, Grid

EVERY_PROTOCOL = (*PROTOCOLS, "transfer:elsewhere")
BUT_SURFACES = tuple(name for name in SCORED if name not in ("hd95", "surface_dice"))


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
    return case, anatomy_of(files, case), (residual * brain).astype(np.float32)


def a_cell(grid: Grid) -> Cell:
    healthy = Cohort("volunteers", "t1", "0")
    return Cell(Fit("by-hand", "nowhere:Nothing", {}, healthy, grid, 0), Cohort("patients", "t1", "1"))


def choices(chain: str, grid: Grid) -> Choices:
    scans: list[HealthyScan] = []
    for index in range(10):
        _, anatomy, kept = mapped(1000 + index, grid, "val", healthy=True)
        processed = process(kept, anatomy, CHAINS[chain])
        scans.append(look_at(processed.plain, processed.scores))
    return Choices({chain: scans}, EVERY_PROTOCOL, {"elsewhere": Source("2", {chain: 0.3})}, BUT_SURFACES)


def seconds_of(work: Iterator[object]) -> float:
    begin = process_time()
    for _ in work:
        pass
    return process_time() - begin


@pytest.mark.parametrize(("chain", "times"), [("paper", 3), ("paper-no-median", 3)])
def test_every_protocol_and_metric_but_surfaces_is_three_times_as_fast_as_the_plain_pipeline(
    benchmark: BenchmarkFixture, tmp_path: Path, chain: str, times: float
) -> None:
    grid = GRIDS["paper"]
    cases = [mapped(index, grid, ("val", "test")[index % 2]) for index in range(8)]
    chosen = choices(chain, grid)
    run = RunFolder(tmp_path / "run")

    def ours() -> int:
        return sum(1 for _ in evaluate_maps(run, a_cell(grid), iter(cases), chosen))

    assert benchmark(ours) > 600
    median = CHAINS[chain].median
    theirs = min(seconds_of(plain.score(kept, one, median) for _, one, kept in cases) for _ in range(2))
    own = min(seconds_of(evaluate_maps(run, a_cell(grid), iter(cases), chosen)) for _ in range(3))
    benchmark.extra_info |= {
        "own_ms_a_volume": 1000 * own / len(cases),
        "plain_ms_a_volume": 1000 * theirs / len(cases),
        "times_as_fast": theirs / own,
    }
    assert theirs > times * own


def test_memory_does_not_grow_from_20_cases_to_200(benchmark: BenchmarkFixture, tmp_path: Path) -> None:
    grid, run = GRIDS["quick"], RunFolder(tmp_path / "run")
    chosen = choices("light", grid)

    def peak(count: int) -> int:
        """Most memory held in bytes, as Python and NumPy ask for it."""
        tracemalloc.start()
        maps = (mapped(index, grid, ("val", "test")[index % 2]) for index in range(count))
        for _ in evaluate_maps(run, a_cell(grid), maps, chosen):
            pass
        return tracemalloc.get_traced_memory()[1]

    few = peak(20)
    tracemalloc.stop()
    many = benchmark.pedantic(peak, args=(200,), rounds=1)
    tracemalloc.stop()
    benchmark.extra_info |= {"mb_of_20_cases": few / 1e6, "mb_of_200_cases": many / 1e6}
    assert many < few + 20e6

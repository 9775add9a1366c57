"""Telling the state of a grid of ten thousand cells."""

import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmark.execution.score_cells import collect
from benchmark.storage.folder import RunFolder
from benchmark.storage.run_record import kept_cells
from benchmark.study.cells import as_stored
from datasets.io.atomic import read_json, write_json
from datasets.simulation.phantom.cohort import write_phantom

pytestmark = pytest.mark.timeout(1200)  # ten thousand folders are written first

ROOT = Path(__file__).parents[2]
CELLS = 10_000


def program(*arguments: object) -> str:
    command = [sys.executable, "-m", "benchmark", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout


def multiply(run: RunFolder, count: int) -> None:
    """Give a run of one scored cell `count` of them, which differ in the seed of their sampling."""
    (cell,) = kept_cells(run)
    record = read_json(run.cell(cell) / "cell.json")
    tables = {path.name: path.read_bytes() for path in run.cell(cell).iterdir() if path.is_file()}
    cells = [cell, *(replace(cell, sampling_seed=seed) for seed in range(1, count))]
    for one in cells[1:]:
        run.cell(one).mkdir()
        for name, content in tables.items():
            (run.cell(one) / name).write_bytes(content)
        write_json(run.cell(one) / "cell.json", {**record, "cell": as_stored(one), "key": one.key})
        (run.root / ".locks" / f"{one.name}.lock").touch()
    write_json(run.study, {**read_json(run.study), "cells": [as_stored(one) for one in cells]})


@pytest.fixture(scope="module")
def one_cell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    write_phantom(folder / "data", healthy=3, lesion=2, spacing=8.0)
    where = ("--datasets", "phantom", "--sequence", "t1", "--preset", "quick", "--data", folder / "data")
    program("run", "--methods", "thresh", *where, "--out", folder / "run", "--no-cache")
    return folder / "run"


@pytest.fixture(scope="module")
def grid(one_cell: Path) -> Path:
    shutil.copytree(one_cell, one_cell.with_name("grid"))
    multiply(RunFolder(one_cell.with_name("grid")), CELLS)
    return one_cell.with_name("grid")


def test_the_state_of_ten_thousand_cells_is_told_in_two_seconds(
    benchmark: BenchmarkFixture, one_cell: Path, grid: Path
) -> None:
    """CPU time beyond that of one cell, which is the start of the program; all records and checksums are read."""
    benchmark.pedantic(program, ("status", grid), rounds=1)
    told = program("status", grid)
    assert told.splitlines()[-1] == f"{CELLS} cells: {CELLS} done, 0 running, 0 failed, 0 missing."
    start, whole = (min(_cpu_seconds("status", run) for _ in range(3)) for run in (one_cell, grid))
    benchmark.extra_info |= {"cpu_seconds": whole, "start": start}
    assert whole - start < 2


def test_a_report_grows_with_its_cells_and_no_faster(one_cell: Path, tmp_path: Path) -> None:
    """CPU time beyond that of one cell: of four times the cells at most six times; of each at most that of 60 states.

    Its card and its tables are read more than once, by sections that know nothing of each other.
    """
    runs = {count: tmp_path / str(count) for count in (500, 2000)}
    for count, run in runs.items():
        shutil.copytree(one_cell, run)
        multiply(RunFolder(run), count)
        collect(RunFolder(run))
    start, few, many = (_report_seconds(run) for run in (one_cell, *runs.values()))
    state = _cpu_seconds("status", runs[2000]) - _cpu_seconds("status", one_cell)
    told = f"start {start:.2f}, 500 cells {few:.2f}, 2000 cells {many:.2f}, their state {state:.2f} s"
    assert many - start < 6 * (few - start), told
    assert many - start < 60 * state, told


def _report_seconds(run: Path) -> float:
    """Of a report that is made anew, as is its summary; the quicker of two."""
    seconds = []
    for _ in range(2):
        for name in ("summary.json", "report.md"):
            (run / name).unlink(missing_ok=True)
        seconds.append(_cpu_seconds("report", run))
    return min(seconds)


def test_a_damaged_cell_among_ten_thousand_is_told(grid: Path) -> None:
    damaged = next((grid / "cells").glob("thresh-*/SHA256SUMS"))
    before = damaged.read_bytes()
    damaged.write_bytes(before.replace(b"0", b"1", 1))
    try:
        assert (
            program("status", grid).splitlines()[-1].startswith(f"{CELLS} cells: {CELLS - 1} done, 0 running, 1 failed")
        )
    finally:
        damaged.write_bytes(before)


def _cpu_seconds(*arguments: object) -> float:
    """Of one call of the program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    program(*arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

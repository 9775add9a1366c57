"""All that has to be known of a GPU, in ten minutes: `python tests/perf/on_gpu.py OUT` measures, checks, leaves rows.

Volumes a second from disk to kept maps under every way of computing, with the share of the measured matrix rate and
joules; training steps a second beside those on one batch in memory; every test that needs a GPU. Each part leaves its
rows in OUT when it is complete, and the same command goes on with the parts that are missing; what there is lies in
OUT/rows.csv and is printed. What fails leaves its traceback in OUT and is tried again by the next call.

`--device cpu --preset quick` rehearses it where there is no GPU.
"""

import argparse
import gc
import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from benchmark.inference.cpu import prepare_cpu

prepare_cpu()

import torch  # noqa: E402

from baselines.slices.sampling import Batches  # noqa: E402
from benchmark.inference.settings import Inference  # noqa: E402
from benchmark.methods.detector import Detector  # noqa: E402
from benchmark.methods.hyperparameters import build_detector, parse_variant, resolve_config  # noqa: E402
from benchmark.speed.flops import matrix_rate  # noqa: E402
from benchmark.speed.measurement import measure  # noqa: E402
from benchmark.speed.sweep import Timing  # noqa: E402
from benchmark.speed.tables import timing_rows  # noqa: E402
from benchmark.storage.rows import Row, blank_row, kept_rows, write_rows  # noqa: E402
from benchmark.study.cells import Cell, Cohort, Fit, Precision  # noqa: E402
from datasets.cohorts.catalog import dataset  # noqa: E402
from datasets.grid import GRIDS  # noqa: E402
from datasets.loading import Cases  # noqa: E402
from datasets.simulation.phantom.cohort import write_phantom  # noqa: E402

ROOT = Path(__file__).parents[2]
SECONDS = 540.0
SHORTEST = 30.0  # s that have to be left for a part to begin
METHOD, SIMPLE = "cddpm", "ae"
SCANS, VOLUMES = 6, 48  # simulated, and mapped: each several times
TRAINING_STEPS, REHEARSED_STEPS = 60, 4  # the latter without a GPU
TOLD = ("volumes_per_second", "share_of_matrix_rate", "joules_per_volume", "steps_per_second", "in_memory", "passed",
        "failed")  # fmt: skip


@dataclass(frozen=True)
class Bench:
    """Where it is measured, and on which scans."""

    out: Path
    device: str
    preset: str

    @property
    def on_gpu(self) -> bool:
        """Whether it is measured, not rehearsed."""
        return torch.device(self.device).type == "cuda"

    def cell(self, method: str) -> Cell:
        """Of initial weights on simulated scans; no study has its key."""
        variant = parse_variant(method)
        config = resolve_config(variant, self.preset, {})
        fit = Fit(method, variant.method.target, config, Cohort("phantom", "t1", "0"), GRIDS[self.preset], 0)
        return Cell(fit, fit.healthy)

    def detector(self, method: str, **changes: object) -> Detector:
        fit, variant = self.cell(method).fit, parse_variant(method)
        torch.manual_seed(0)
        return build_detector(variant.name, fit.target, {**fit.config, **changes}).to(self.device)

    def cases(self, count: int) -> Cases:
        if not (self.out / "data").exists():
            write_phantom(self.out / "data", healthy=SCANS, lesion=0, spacing=GRIDS[self.preset].spacing)
        files = dataset("phantom").files(self.out / "data", "t1")
        repeated = [replace(files[index % len(files)], case_id=f"case-{index}") for index in range(count)]
        return Cases(repeated, GRIDS[self.preset])


def mapping(bench: Bench, inference: Inference, *, graphs: bool = False, volumes: int = VOLUMES) -> list[Row]:
    """From disk to kept maps, after one volume that warms up and compiles."""
    detector = bench.detector(METHOD)
    if graphs:
        for network in detector.children():
            network.compile(dynamic=False, mode="reduce-overhead")
        detector._networks_are_compiled = True  # type: ignore[assignment]
    measured = measure(detector, bench.cases(volumes), inference)
    numbers = measured.numbers(matrix_rate(bench.device, inference.precision))
    return timing_rows(Timing(bench.cell(METHOD), measured, "drawn", numbers))


def training(bench: Bench, method: str, precision: Precision) -> list[Row]:
    """Steps a second of a fit, and of the same fit on one batch that is drawn once."""
    draw, drawn = Batches.slices, list[torch.Tensor]()

    def in_memory(batches: Batches, step: int) -> torch.Tensor:
        if not drawn:
            drawn.append(draw(batches, step))
        return drawn[0]

    rates, steps = {}, TRAINING_STEPS if bench.on_gpu else REHEARSED_STEPS
    for name, slices in (("steps_per_second", draw), ("in_memory", in_memory)):
        detector = bench.detector(method, steps=steps, precision=precision)
        with patch.object(Batches, "slices", slices), TemporaryDirectory() as folder:
            detector.fit(bench.cases(SCANS), bench.cases(2), seed=0, workdir=Path(folder))
            (record,) = json.loads((Path(folder) / "training.json").read_text())
        rates[name] = record["steps_per_second"]
    return [replace(blank_row(bench.cell(method)), metric=name, value=rate) for name, rate in rates.items()]


def gpu_tests(bench: Bench, path: Path, seconds: float) -> list[Row]:
    """The tests of a file that need a GPU; their output stays in OUT."""
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", str(path), "-rfEs", "--tb=short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds, check=False)
    (bench.out / f"{path.stem}.txt").write_text(done.stdout + done.stderr)
    words = done.stdout.splitlines()[-1].replace(",", "").split() if done.stdout else []
    counts = {word: float(number) for number, word in pairwise(words) if number.isdigit()}
    found = {"passed": counts.get("passed", 0.0), "failed": counts.get("failed", 0.0) + counts.get("errors", 0.0)}
    blank = replace(blank_row(bench.cell(SIMPLE)), method="tests")
    return [replace(blank, metric=name, value=value) for name, value in found.items()]


def parts(bench: Bench, left: Callable[[], float]) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """What is measured, the most wanted first."""
    few = VOLUMES // 4 if bench.on_gpu else 1

    def way(
        precision: Precision, batch: int, *, compiled: bool = False, graphs: bool = False, volumes: int = VOLUMES
    ) -> Callable[[], list[Row]]:
        inference = Inference(bench.device, precision, batch, compiled=compiled or graphs)
        count = volumes if bench.on_gpu else few
        return lambda: mapping(bench, inference, graphs=graphs, volumes=count)

    yield "map-bf16-32", way("bf16", 32)
    yield "map-bf16-32-compiled", way("bf16", 32, compiled=True)
    yield "map-fp32-32", way("fp32", 32, volumes=few)
    yield "map-bf16-64-compiled", way("bf16", 64, compiled=True)
    yield "map-bf16-8-compiled", way("bf16", 8, compiled=True)
    yield "map-bf16-8-graphs", way("bf16", 8, graphs=True)
    yield "map-bf16-32-graphs", way("bf16", 32, graphs=True)
    yield "train-cddpm-bf16", lambda: training(bench, METHOD, "bf16")
    yield "train-ae-fp32", lambda: training(bench, SIMPLE, "fp32")
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        if "mark.gpu" in path.read_text() or "marks=pytest.mark.gpu" in path.read_text():
            yield path.stem, lambda path=path: gpu_tests(bench, path, left())  # type: ignore[misc]
    yield "map-bf16-128-compiled", way("bf16", 128, compiled=True)
    yield "map-fp32-32-compiled", way("fp32", 32, compiled=True, volumes=few)


def main() -> int:
    """0 when every part is complete and no test failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="begin no part later")
    parser.add_argument("--only", default="", help="parts whose name begins so")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    bench, end = Bench(asked.out, asked.device, asked.preset), time.monotonic() + asked.seconds
    rows, missing = list[Row](), list[str]()
    for name, measured in parts(bench, lambda: end - time.monotonic()):
        table = asked.out / f"{name}.csv"
        if not table.exists() and name.startswith(asked.only) and end - time.monotonic() > SHORTEST:
            begin = time.monotonic()
            try:
                made = measured()
                write_rows(table, [replace(row, flags=name) for row in made])
            except Exception:  # a part costs itself: what there is has to come home
                (asked.out / f"{name}.txt").write_text(traceback.format_exc())
            gc.collect()
            torch.cuda.empty_cache()
            print(f"{name}: {time.monotonic() - begin:.0f} s", file=sys.stderr)
        if table.exists():
            rows += kept_rows(table)
        else:
            missing.append(name)
    write_rows(asked.out / "rows.csv", rows)
    for row in rows:
        if row.metric in TOLD:
            print(f"{row.flags:<28}{row.method:<8}{row.metric:<24}{row.value:.4g}")
    print(f"Missing: {', '.join(missing) or 'nothing'}")
    return int(bool(missing) or any(row.metric == "failed" and row.value > 0 for row in rows))


if __name__ == "__main__":
    sys.exit(main())

"""All that has to be known of a GPU, in ten minutes: `python tests/perf/on_gpu.py OUT` measures, checks, leaves rows.

Volumes a second from disk to kept maps under every way of computing, with the share of the measured matrix rate and
joules; training steps a second beside those on one batch in memory; every test that needs a GPU. Each part adds its
rows to OUT/rows.csv when it is complete, so that the same command goes on with the parts that are missing, wherever it
was ended. What fails, or takes longer than there is time, leaves its traceback in OUT/log.txt and is tried again.

`--device cpu --preset quick` rehearses it where there is no GPU.
"""

import argparse
import gc
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from benchmark.inference.cpu import prepare_cpu

prepare_cpu()

import torch  # noqa: E402
from torch.utils._pytree import tree_map  # noqa: E402

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
        "failed", "skipped")  # fmt: skip
Part = Callable[[], list[Row]]


@dataclass(frozen=True)
class Bench:
    """Where it is measured, and on which scans.

    Attributes:
        scratch: for scans, which are simulated there.
        log: a file for what tests say.
    """

    scratch: Path
    log: Path
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
        if not (self.scratch / "phantom").exists():
            write_phantom(self.scratch, healthy=SCANS, lesion=0, spacing=GRIDS[self.preset].spacing)
        files = dataset("phantom").files(self.scratch, "t1")
        repeated = [replace(files[index % len(files)], case_id=f"case-{index}") for index in range(count)]
        return Cases(repeated, GRIDS[self.preset])


def mapping(bench: Bench, inference: Inference, *, graphs: bool = False, volumes: int = VOLUMES) -> list[Row]:
    """From disk to kept maps, after one volume that warms up and compiles."""
    detector = bench.detector(METHOD)
    if graphs:
        replay_as_graphs(detector)
    measured = measure(detector, bench.cases(volumes), inference)
    numbers = measured.numbers(matrix_rate(bench.device, inference.precision))
    return timing_rows(Timing(bench.cell(METHOD), measured, "drawn", numbers))


def replay_as_graphs(detector: Detector) -> None:
    """Compile networks so that a GPU replays each as a CUDA graph.

    Results are copied, since any later replay may overwrite them, as it does the code that steers the next network.
    """
    torch.compiler.reset()
    for network in detector.children():
        network.compile(dynamic=False, mode="reduce-overhead")
        assert network._compiled_call_impl is not None
        network._compiled_call_impl = _copied(network._compiled_call_impl)
    detector._networks_are_compiled = True  # type: ignore[assignment]


def _copied(compute: Callable[..., object]) -> Callable[..., object]:
    """The same function, which returns copies of its tensors."""

    def copied(*arguments: object, **named: object) -> object:
        return tree_map(lambda one: one.clone() if isinstance(one, torch.Tensor) else one, compute(*arguments, **named))

    return copied


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


def gpu_tests(bench: Bench) -> list[Row]:
    """How many of all tests that need a GPU pass; what they say goes into the log.

    Raises:
        RuntimeError: they could not be run, or there are none.
    """
    paths = [str(path) for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in path.read_text()]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", *paths, "-rfEs", "--tb=short"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    write_log(bench.log, "gpu-tests", done.stdout + done.stderr)
    if done.returncode not in (0, 1):  # pytest's: all passed, some failed
        raise RuntimeError(f"pytest ended with {done.returncode}")
    words = done.stdout.splitlines()[-1].replace(",", "").replace("errors", "error").split()
    counts = {word: float(number) for number, word in pairwise(words) if number.isdigit()}
    found = {name: counts.get(name, 0.0) for name in ("passed", "failed", "skipped")}
    found["failed"] += counts.get("error", 0.0)
    blank = replace(blank_row(bench.cell(SIMPLE)), method="tests")
    return [replace(blank, metric=name, value=value) for name, value in found.items()]


def parts(bench: Bench) -> dict[str, Part]:
    """What is measured, the most wanted first."""
    few = VOLUMES // 4 if bench.on_gpu else 1

    def way(
        precision: Precision, batch: int, *, compiled: bool = False, graphs: bool = False, volumes: int = VOLUMES
    ) -> Part:
        inference = Inference(bench.device, precision, batch, compiled=compiled or graphs)
        count = volumes if bench.on_gpu else few
        return lambda: mapping(bench, inference, graphs=graphs, volumes=count)

    return {
        "map-bf16-32": way("bf16", 32),
        "map-bf16-32-compiled": way("bf16", 32, compiled=True),
        "map-fp32-32": way("fp32", 32, volumes=few),
        "train-cddpm-bf16": lambda: training(bench, METHOD, "bf16"),
        "train-ae-fp32": lambda: training(bench, SIMPLE, "fp32"),
        "gpu-tests": lambda: gpu_tests(bench),
        "map-bf16-32-graphs": way("bf16", 32, graphs=True),
        "map-bf16-8-graphs": way("bf16", 8, graphs=True),
        "map-bf16-8-compiled": way("bf16", 8, compiled=True),
        "map-bf16-64-compiled": way("bf16", 64, compiled=True),
        "map-bf16-128-compiled": way("bf16", 128, compiled=True),
        "map-fp32-32-compiled": way("fp32", 32, compiled=True, volumes=few),
    }


@contextmanager
def ended_after(seconds: float) -> Iterator[None]:
    """Raises TimeoutError in the block after so many seconds of the wall clock."""

    def end(*_: object) -> None:
        raise TimeoutError(f"got more than {seconds:.0f} s, expected an end within what was left of --seconds")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def write_log(log: Path, part: str, text: str) -> None:
    with log.open("a", encoding="utf-8") as stream:
        stream.write(f"== {part} ==\n{text}\n")


def make(wanted: Mapping[str, Part], table: Path, log: Path, seconds: float) -> list[Row]:
    """The rows of the parts that are complete in `table`; those that are not are made first, while there is time."""
    rows, end = kept_rows(table) if table.exists() else [], time.monotonic() + seconds
    for name, measured in wanted.items():
        left = end - time.monotonic()
        if left < SHORTEST or any(row.flags == name for row in rows):
            continue
        try:
            with ended_after(left):
                made = measured()
            rows += [replace(row, flags=name) for row in made]
            write_rows(table, rows)
        except Exception:  # a part costs itself: what there is has to come home
            write_log(log, name, traceback.format_exc())
        gc.collect()
        torch.cuda.empty_cache()
        print(f"{name}: {left - (end - time.monotonic()):.0f} s", file=sys.stderr)
    return rows


def main() -> int:
    """0 when every part is complete and no test failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--preset", default="paper")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="begin no part later, and end the last one")
    parser.add_argument("--only", default="", help="parts whose name begins so")
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    log = asked.out / "log.txt"
    with TemporaryDirectory(prefix="uadbench-gpu-") as folder:
        # In a cache that calls share, torch takes code for whole that a killed call has written in part.
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(Path(folder) / "compiled")
        whole = parts(Bench(Path(folder), log, asked.device, asked.preset))
        wanted = {name: part for name, part in whole.items() if name.startswith(asked.only)}
        rows = make(wanted, asked.out / "rows.csv", log, asked.seconds)
    for row in rows:
        if row.metric in TOLD:
            print(f"{row.flags:<28}{row.method:<8}{row.metric:<24}{row.value:.4g}")
    missing = [name for name in whole if not any(row.flags == name for row in rows)]
    print(f"Missing: {', '.join(missing) or 'nothing'}")
    return int(bool(missing) or any(row.metric == "failed" and row.value > 0 for row in rows))


if __name__ == "__main__":
    sys.exit(main())

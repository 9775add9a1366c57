"""A small study in a process that a test can kill; it is forked from a process that has imported everything."""

import multiprocessing
import random
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from cohorts import TINY
from studies import Runner

# A method without training, one whose maps are noise, one that is trained, and a variant that takes its weights.
METHODS = "mean-distance,noisy,mean-distance[power=2],ae[size=16,steps=8,batch_size=4]"
DATASETS = "patients,inpatients"
Interruption = Callable[[], object]


@dataclass(frozen=True)
class InterruptibleStudy:
    """A study of the cohorts in one folder, which can be run several times.

    Attributes:
        log: a line for each finished fit and each mapped cell, of all processes.
    """

    data: Path
    log: Path

    def process(self, out: Path, interrupt: Interruption | None = None) -> "Running":
        """A process that runs the study in `out` once `go` is called."""
        ours, theirs = _context().Pipe()
        process = _context().Process(target=_run, args=(theirs, self, out, interrupt))
        process.start()
        theirs.close()
        assert ours.recv() == "ready"
        return Running(process, ours)

    def run(self, out: Path) -> float:
        """Run the study to its end; returns the seconds it took."""
        running, begin = self.process(out), time.perf_counter()
        running.go()
        assert running.end() == 0
        return time.perf_counter() - begin

    def kill_within(self, out: Path, seconds: float, chance: random.Random) -> bool:
        """Run the study and kill -9 it at a random moment; returns whether it was still running."""
        running = self.process(out)
        running.go()
        running.process.join(chance.uniform(0, seconds))
        running.process.kill()
        return running.end() != 0

    def times_done(self) -> Mapping[str, int]:
        """How often each fit and cell was finished."""
        return Counter(self.log.read_text().splitlines()) if self.log.exists() else {}


@dataclass(frozen=True)
class UninterruptedRun:
    """What the study comes to, and the seconds that it takes."""

    rows: bytes
    seconds: float


@dataclass(frozen=True)
class Running:
    process: Any
    pipe: Connection

    def go(self) -> None:
        with suppress(BrokenPipeError):
            self.pipe.send("go")

    def end(self) -> int:
        """Its exit code, once it has ended."""
        self.process.join()
        self.pipe.close()
        return int(self.process.exitcode)


def _context() -> Any:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["studies", "detectors", "baselines.autoencoders.ae", "baselines.training.fit"])
    return context


def _run(pipe: Connection, study: InterruptibleStudy, out: Path, interrupt: Interruption | None) -> None:
    from baselines.training import loop as stage
    from benchmark.execution import fit_methods as fitting
    from benchmark.execution import worker as runner
    from datasets.grid import GRIDS

    GRIDS["quick"] = TINY
    stage.CHECKPOINT_SECONDS = 0.0
    runner.POLL_SECONDS = 0.02
    _note_when_done(runner, "_map_cell", study.log, lambda job, cell, detector: cell.name)
    _note_when_done(fitting, "_train", study.log, lambda context, fit, detector: fit.name)
    if interrupt is not None:
        interrupt()
    pipe.send("ready")
    pipe.recv()
    Runner(study.data, out).run(METHODS, DATASETS)


def _note_when_done(module: Any, name: str, log: Path, line_of: Callable[..., str]) -> None:
    original = getattr(module, name)

    def noted(*args: Any) -> Any:
        result = original(*args)
        with log.open("a") as stream:  # a line at a time is appended whole
            stream.write(line_of(*args) + "\n")
        return result

    setattr(module, name, noted)

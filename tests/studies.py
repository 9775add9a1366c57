"""Studies of the tiny cohorts, run in this process without the command line."""

import csv
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmark.execution.job import Job, Rerun
from benchmark.execution.worker import run_study
from benchmark.inference.settings import Inference
from benchmark.storage.folder import RunFolder, create_run
from benchmark.storage.run_record import Scoring, kept_cells
from benchmark.study.cells import Cell
from benchmark.study.planning import plan
from benchmark.study.study import Request

SCORING = Scoring(("light", "none"), ("lesion-val", "healthy-fpr-5", "oracle"))


@dataclass(frozen=True)
class Runner:
    """Runs requests into one folder and remembers what was logged."""

    data: Path
    out: Path
    scoring: Scoring = SCORING
    inference: Inference = field(default_factory=Inference)
    log: list[str] = field(default_factory=list)
    plugins: tuple[Path, ...] = ()
    apart: bool = False

    def run(
        self,
        methods: str = "mean-distance",
        datasets: str = "patients",
        *,
        rerun: Rerun = "missing",
        limit: int | None = None,
        seeds: str = "0",
        validation_only: bool = False,
        shifts: str = "",
        match: bool = False,
        healthy: str | None = None,
        leave_one_site_out: bool = False,
        training_scans: int | None = None,
    ) -> list[Cell]:
        """The cells that stand as failed."""
        request = Request(
            methods=methods,
            datasets=datasets,
            data=self.data,
            preset="quick",
            seeds=seeds,
            limit=limit,
            splits=("val",) if validation_only else ("val", "test"),
            shifts=shifts,
            match=match,
            plugins=self.plugins,
            healthy=healthy,
            leave_one_site_out=leave_one_site_out,
            training_scans=training_scans,
        )
        scoring = replace(self.scoring)  # as another process has it: what names stand for is looked up anew
        job = Job(plan(request), create_run(self.out), self.data, self.inference, scoring, rerun, apart=self.apart)
        with logged(self.log):
            return run_study(job)

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.out)

    def rows(self) -> list[dict[str, str]]:
        return read_table(self.out / "rows.csv")

    def cell(self, dataset: str, method: str = "mean-distance") -> Cell:
        return next(
            cell for cell in kept_cells(self.folder) if (cell.fit.method, cell.cohort.dataset) == (method, dataset)
        )

    def record(self, cell: Cell) -> dict[str, Any]:
        """What `cell.json` says of a cell."""
        return json.loads((self.folder.cell(cell) / "cell.json").read_text())


@contextmanager
def logged(lines: list[str]) -> Iterator[None]:
    """Append what the benchmark logs of its progress to `lines`."""
    handler, logger = logging.Handler(), logging.getLogger("benchmark")
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(logging.NOTSET)
        logger.removeHandler(handler)


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def without_order(rows: Sequence[dict[str, str]]) -> list[tuple[str, ...]]:
    return sorted(tuple(row.values()) for row in rows)


def stamps(folder: Path, pattern: str) -> dict[str, int]:
    """Every matching file below `folder` with the time it was written, in ns."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob(pattern)}

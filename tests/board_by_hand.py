"""A leaderboard whose entries are written by hand: one method each, under every pipeline and threshold of a study."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from cohorts import TINY

from benchmark.postprocessing.pipelines import pipeline_named
from benchmark.storage.fits import DataCard, write_card
from benchmark.storage.folder import create_run
from benchmark.storage.rows import Row, blank_row, evaluation_row, stamped
from benchmark.storage.run_record import Scoring, add_study
from benchmark.storage.run_tables import write_run_rows
from benchmark.study.cells import Cell, Cohort, Evaluation, Fit, Reference
from benchmark.study.protocols import protocol_named
from benchmark.study.study import Study
from benchmark.verification.leaderboard.entry import Attestation, take
from benchmark.verification.leaderboard.release import release_of, write_release
from benchmark.verification.verify import Check
from datasets.shifts import Shift

LESIONS = ("patients", "inpatients")
PEOPLE = {"volunteers": 20} | dict.fromkeys(LESIONS, 30)
PIPELINES = ("light", "paper", "none")
PROTOCOLS = ("healthy-fpr-1", "healthy-fpr-0.1", "healthy-fpr-5", "healthy-alarm-10", "lesion-val", "oracle")
HEALTHY = ("alarm", "alarms", "alarm_ml", "alarm_fraction")
LESION = ("dice", "precision", "recall", "surface_dice", "lesion_recall", "lesion_precision", "found", "lesion_f1")


def write_board(
    root: Path,
    entries: int,
    pipelines: Sequence[str] = PIPELINES,
    protocols: Sequence[str] = PROTOCOLS,
    single: Collection[int] = (),
) -> int:
    """Entries `e0`, `e1`, ... of the methods `m0`, `m1`, ..., with three seeds; returns how many rows they have.

    With all pipelines and protocols an entry has about 30,000 rows.

    Args:
        single: places of entries with one training seed.
    """
    count, home = 0, Cohort("volunteers", "t1", "d")
    references = tuple(Reference(Cohort(name, "t1", "d"), TINY, ("test",), None) for name in LESIONS)
    for place in range(entries):
        fits = [
            Fit(f"m{place}", "module:Class", {"size": 8}, home, TINY, seed)
            for seed in ((0,) if place in single else (0, 1, 2))
        ]
        cells = [Cell(fit, Cohort(name, "t1", "d"), Shift()) for fit in fits for name in PEOPLE]
        run = create_run(root / "runs" / f"e{place}")
        add_study(run, Study(tuple(cells), references, {}), Scoring(tuple(pipelines), tuple(protocols)), root)
        rows = list(stamped(row for cell in cells for row in _rows(cell, place / 100, pipelines, protocols)))
        write_run_rows(run, "rows.csv", rows)
        write_run_rows(run, "timing.csv", stamped(row for cell in cells for row in _seconds(cell)))
        for fit in fits:
            write_card(run.fit(fit), DataCard(None, "volunteers", "t1", {}, 3, 3, fit.seed, None, 0, 0.0))
        if not place:
            write_release(root, release_of(run))
        take(run, root, run.root.name, Attestation("verified", 0, (Check("maps", "", cells=(cells[0].key,)),)))
        count += len(rows)
    return count


def _rows(cell: Cell, worse: float, pipelines: Sequence[str], protocols: Sequence[str]) -> Iterator[Row]:
    healthy = cell.cohort.dataset == "volunteers"
    metrics = HEALTHY if healthy else LESION
    values = np.random.default_rng([cell.fit.seed, *cell.fit.method.encode()]).uniform(0.3, 0.9 - worse, 2_000).tolist()
    for pipeline in pipelines:
        for protocol in protocols:
            if healthy and not protocol.startswith("healthy"):
                continue
            blank = evaluation_row(Evaluation(cell, pipeline_named(pipeline), protocol_named(protocol), ""))
            for person in range(PEOPLE[cell.cohort.dataset]):
                for place, metric in enumerate(metrics):
                    value = values[31 * person + 7 * place + len(protocol)]
                    value = float(value > 0.5) if metric in ("alarm", "found") else value
                    yield replace(
                        blank, case_id=f"p{person}", subject_id=f"p{person}", split="test", metric=metric, value=value
                    )


def _seconds(cell: Cell) -> Iterator[Row]:
    for person in range(PEOPLE[cell.cohort.dataset]):
        yield replace(
            blank_row(cell), case_id=f"p{person}", subject_id=f"p{person}", split="test", metric="seconds", value=1.0
        )

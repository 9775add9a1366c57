"""Fills a study's grid: keeps what is done, survives what fails."""

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from benchmark.detector import Detector
from benchmark.environment import environment
from benchmark.inference import Inference, forget_peak, peak_bytes, predict
from benchmark.maps import write_volume
from benchmark.planning import Study, check_cases
from benchmark.records import Scoring, cell_state, check_settings, claim, has_maps, record_cell
from benchmark.registry import build
from benchmark.results import Row, blank_row, write_rows
from benchmark.runfolder import RunFolder, write_json
from benchmark.scoring import collect, fail, score_fit, score_references
from benchmark.study import Cell, Fit
from benchmark.weights import load_weights, save_weights
from datasets.case import CaseFiles
from datasets.errors import BadFile
from datasets.grid import Cases

Rerun = Literal["missing", "failed", "all"]


@dataclass(frozen=True)
class Job:
    """A study, where its data are and where it is kept, and how it is computed and scored.

    Attributes:
        rerun: what to compute again: `missing` nothing, `failed` what failed before, `all` everything.
        say: told what goes on, a line at a time.
    """

    study: Study
    run: RunFolder
    data: Path
    inference: Inference
    scoring: Scoring
    rerun: Rerun
    say: Callable[[str], None]

    def wanted(self, cell: Cell) -> bool:
        """Whether this cell is to be worked on."""
        state = cell_state(self.run, cell, self.scoring)
        return self.rerun == "all" or state in ("missing", "mapped") or state == self.rerun

    def keeps_maps(self, cell: Cell) -> bool:
        """Whether this cell needs no inference."""
        return self.rerun != "all" and has_maps(self.run, cell)


def run_study(job: Job) -> list[Cell]:
    """Work through the grid; the cells of it that stand as failed are returned.

    A failure costs its own cells only: its traceback goes into their `cell.json`.

    Raises:
        UserError: before anything is computed, where a file cannot be used or the run folder holds
            a study under other settings.
    """
    check_settings(job.run, job.study)
    todo = [cell for cell in job.study.cells if job.wanted(cell)]
    if todo:
        job.say("Reading every case once, to know now what cannot be used.")
        check_cases(_needed(job.study, todo), todo[0].fit.grid)
    claim(job.run, job.study, job.scoring, job.data)
    if todo:
        write_json(job.run.root / "environment.json", environment(job.inference.device))
    _forget(job, todo)
    if todo or not all((job.run.cell(reference) / "rows.csv").exists() for reference in job.study.references):
        score_references(job.study, job.run, job.scoring)
    fits = job.study.fits
    for index, fit in enumerate(fits, start=1):
        cells = [cell for cell in todo if cell.fit == fit]
        if cells:
            job.say(f"[{index}/{len(fits)}] {fit.method}, seed {fit.seed}")
            _run_fit(job, fit, cells)
    collect(job.run)
    return [cell for cell in job.study.cells if cell_state(job.run, cell, job.scoring) != "done"]


def _forget(job: Job, cells: Iterable[Cell]) -> None:
    """Take back what is to be made anew, so that a run killed meanwhile goes on with it later."""
    for cell in cells:
        if job.rerun == "all":
            (job.run.fit(cell.fit) / "fit.json").unlink(missing_ok=True)
        if not job.keeps_maps(cell):
            (job.run.cell(cell) / "cell.json").unlink(missing_ok=True)
            (job.run.cell(cell) / "rows.csv").unlink(missing_ok=True)


def _run_fit(job: Job, fit: Fit, cells: list[Cell]) -> None:
    """Fit, map and score the wanted cells of one row of the grid."""
    to_map = [cell for cell in cells if not job.keeps_maps(cell)]
    failed: list[Cell] = []
    try:
        detector = _fitted(job, fit) if to_map else None
    except Exception:
        for cell in to_map:
            fail(job.run, cell, "fit", job.say)
        failed, to_map, detector = to_map, [], None
    for cell in to_map:
        try:
            _map_cell(job, cell, detector)
        except Exception:
            fail(job.run, cell, "predict", job.say)
            failed.append(cell)
    score_fit(job.study, job.run, job.scoring, fit, [cell for cell in cells if cell not in failed], job.say)


def _fitted(job: Job, fit: Fit) -> Detector:
    """The fitted detector, from its folder where it is there already."""
    folder = job.run.fit(fit)
    detector = build(fit.method, fit.target, fit.config).to(job.inference.device)
    if (folder / "fit.json").exists():
        try:
            load_weights(detector, folder)
            return detector
        except BadFile:
            if job.rerun != "failed":
                raise
            job.say("  the kept weights cannot be loaded: fitting anew")
    folder.mkdir(parents=True, exist_ok=True)
    train, val = (Cases(job.study.training_cases(fit, split), fit.grid) for split in ("train", "val"))
    job.say(f"  fitting on {len(train)} healthy cases of {fit.healthy.dataset} ({len(val)} for validation)")
    begin = time.perf_counter()
    detector.fit(train, val, seed=fit.seed, workdir=folder)
    seconds = time.perf_counter() - begin
    save_weights(detector, folder)
    write_json(folder / "config.json", dict(fit.config))
    parameters = sum(parameter.numel() for parameter in detector.parameters())
    record = {"fit": asdict(fit), "seconds": seconds, "parameters": parameters, "device": job.inference.device}
    write_json(folder / "fit.json", record)
    job.say(f"  fitted in {seconds:.0f} s")
    return detector.eval()


def _map_cell(job: Job, cell: Cell, detector: Any) -> None:
    """Keep the maps of a cell; its `cell.json` comes last."""
    files = job.study.mapped_cases(cell)
    inference = replace(job.inference, precision=cell.precision)
    forget_peak(inference.device)
    rows, blank = list[Row](), blank_row(cell)
    predictions = predict(detector, Cases(files, cell.fit.grid), inference, seed=cell.sampling_seed)
    for one, prediction in zip(files, predictions, strict=True):
        write_volume(job.run.anomaly_map(cell, one.case_id), prediction.anomaly_map, prediction.case.affine)
        if prediction.reconstruction is not None:
            write_volume(job.run.reconstruction(cell, one.case_id), prediction.reconstruction, prediction.case.affine)
        timed = replace(blank, split=one.split, case_id=one.case_id, subject_id=one.subject_id)
        rows.append(replace(timed, metric="seconds", value=prediction.seconds))
    rows.append(replace(blank, metric="peak_bytes", value=float(peak_bytes(inference.device))))
    write_rows(job.run.cell(cell) / "timing.csv", rows)
    record_cell(job.run, cell, {"status": "mapped", "inference": asdict(inference)})
    seconds = sum(row.value for row in rows[:-1])
    job.say(f"  mapped {len(files)} cases of {cell.cohort.dataset} in {seconds:.1f} s")


def _needed(study: Study, cells: Iterable[Cell]) -> list[CaseFiles]:
    """Every file that working on these cells reads, once."""
    needed: dict[Path, CaseFiles] = {}
    for cell in cells:
        training = [*study.training_cases(cell.fit, "train"), *study.training_cases(cell.fit, "val")]
        needed |= {files.image: files for files in (*training, *study.mapped_cases(cell))}
    return list(needed.values())

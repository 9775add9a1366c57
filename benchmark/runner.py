"""Fills a study's grid: keeps what is done, survives what fails."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import torch

from benchmark.admission import Admission, keep
from benchmark.detector import LabelledDetector
from benchmark.environment import environment
from benchmark.evaluation import as_seen
from benchmark.fitting import Workplace, check_fit, fitted, forget
from benchmark.inference import Inference, Prediction, forget_peak, peak_bytes, predict
from benchmark.labels import LesionFrequency
from benchmark.maps import write_volume
from benchmark.overlap import Behind
from benchmark.planning import Study, check_cases
from benchmark.records import Scoring, cell_state, check_settings, claim, has_maps, record_cell
from benchmark.results import Row, blank_row, write_rows
from benchmark.runfolder import RunFolder, write_json
from benchmark.scoring import collect, fail, score_fit, score_references
from benchmark.study import Cell, Fit
from datasets.case import CaseFiles
from datasets.grid import Cases

Rerun = Literal["missing", "failed", "all"]


@dataclass(frozen=True)
class Job:
    """A study, where its data are and where it is kept, and how it is computed and scored.

    Attributes:
        rerun: what to compute again: `missing` nothing, `failed` what failed before, `all` everything.
        say: told what goes on, a line at a time.
        devices: GPUs that one fit trains on, where the method can use several.
        admission: the audit that has read every case already; None to read them before anything is computed.
    """

    study: Study
    run: RunFolder
    data: Path
    inference: Inference
    scoring: Scoring
    rerun: Rerun
    say: Callable[[str], None]
    devices: int = 1
    admission: Admission | None = None

    @property
    def workplace(self) -> Workplace:
        """Where this job's fits are made."""
        return Workplace(self.study, self.run, self.inference.device, self.devices, self.say)

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
    for fit in {cell.fit.key: cell.fit for cell in todo if not job.keeps_maps(cell)}.values():
        check_fit(job.workplace, fit)
    if todo and job.admission is None:
        job.say("Reading every case once, to know now what cannot be used.")
        check_cases(_needed(job.study, todo), todo[0].fit.grid)
    claim(job.run, job.study, job.scoring, job.data)
    if job.admission is not None:
        keep(job.run, job.admission)
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
            forget(job.run.fit(cell.fit))
        if not job.keeps_maps(cell):
            (job.run.cell(cell) / "cell.json").unlink(missing_ok=True)
            (job.run.cell(cell) / "rows.csv").unlink(missing_ok=True)


def _run_fit(job: Job, fit: Fit, cells: list[Cell]) -> None:
    """Fit, map and score the wanted cells of one row of the grid."""
    to_map = [cell for cell in cells if not job.keeps_maps(cell)]
    failed: list[Cell] = []
    try:
        detector = fitted(job.workplace, fit, mend=job.rerun == "failed") if to_map else None
    except (Exception, SystemExit):
        for cell in to_map:
            fail(job.run, cell, "fit", job.say)
        failed, to_map, detector = to_map, [], None
    for cell in to_map:
        try:
            _map_cell(job, cell, detector)
        except (Exception, SystemExit):
            fail(job.run, cell, "predict", job.say)
            failed.append(cell)
    score_fit(job.study, job.run, job.scoring, fit, [cell for cell in cells if cell not in failed], job.say)


def _map_cell(job: Job, cell: Cell, detector: Any) -> None:
    """Keep the maps of a cell; its `cell.json` comes last."""
    files = job.study.mapped_cases(cell)
    volumes = job.inference.volumes or detector.volumes_at_once
    inference = replace(job.inference, precision=cell.precision, volumes=volumes)
    forget_peak(inference.device)
    rows, seen, blank = list[Row](), list[Row](), blank_row(cell)
    predictions = _predictions(detector, files, cell, inference)
    with Behind() as writing:
        for one, prediction in zip(files, predictions, strict=True):
            writing.do(partial(_keep_volumes, job.run, cell, prediction))
            timed = replace(blank, split=one.split, case_id=one.case_id, subject_id=one.subject_id)
            rows.append(replace(timed, metric="seconds", value=prediction.seconds))
            if not cell.shift.is_none:
                seen += as_seen(blank, one, prediction.case, prediction.reconstruction)
    rows.append(replace(blank, metric="peak_bytes", value=float(peak_bytes(inference.device))))
    write_rows(job.run.cell(cell) / "timing.csv", rows)
    if seen:
        write_rows(job.run.seen(cell), seen)
    record_cell(job.run, cell, {"status": "mapped", "inference": asdict(inference)})
    seconds = sum(row.value for row in rows[:-1])
    job.say(f"  mapped {len(files)} cases of {cell.where} in {seconds:.1f} s")


def _keep_volumes(run: RunFolder, cell: Cell, prediction: Prediction) -> None:
    case = prediction.case
    write_volume(run.anomaly_map(cell, case.case_id), prediction.anomaly_map, case.affine)
    if prediction.reconstruction is not None:
        write_volume(run.reconstruction(cell, case.case_id), prediction.reconstruction, case.affine)


def _predictions(detector: Any, files: Sequence[CaseFiles], cell: Cell, inference: Inference) -> Iterator[Prediction]:
    """One a case in their order; a labelled detector hears of the other patients' lesions before each patient."""
    if not isinstance(detector, LabelledDetector):
        yield from predict(detector, Cases(files, cell.fit.grid, cell.shift), inference, seed=cell.sampling_seed)
        return
    frequency = LesionFrequency(files, cell.fit.grid)
    for subject_id, own in groupby(files, key=lambda one: one.subject_id):
        detector.see_locations(torch.from_numpy(frequency.of_others(subject_id))[None])  # (1, X, Y, Z)
        yield from predict(detector, Cases(list(own), cell.fit.grid, cell.shift), inference, seed=cell.sampling_seed)


def _needed(study: Study, cells: Iterable[Cell]) -> list[CaseFiles]:
    """Every file that working on these cells reads, once."""
    needed: dict[Path, CaseFiles] = {}
    for cell in cells:
        training = [*study.training_cases(cell.fit, "train"), *study.training_cases(cell.fit, "val")]
        needed |= {files.image: files for files in (*training, *study.mapped_cases(cell))}
    return list(needed.values())

"""make_residuals: maps a run's healthy training scans once, and keeps mean and spread of their residuals."""

import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from benchmark.execution.score_cells import residual_cells
from benchmark.execution.worker import QUIET_SECONDS
from benchmark.inference.cpu import compute_as_parent, threads_here
from benchmark.inference.predict import load_detector, predict_cell
from benchmark.inference.settings import Inference
from benchmark.methods.registry import runs_apart
from benchmark.methods.told import Asked
from benchmark.postprocessing.scores import ReconstructedScan, healthy_residuals
from benchmark.storage.checksums import write_checksums
from benchmark.storage.fits import read_fit
from benchmark.storage.folder import RunFolder, open_run
from benchmark.storage.locks import lock
from benchmark.storage.maps import has_residuals, write_residuals
from benchmark.study.cells import Cell
from benchmark.study.study import Study
from datasets.case import CaseFiles
from datasets.loading import load_case

log = logging.getLogger(__name__)


def make_residuals(study: Study, run: RunFolder, inference: Inference) -> list[Cell]:
    """Make what is missing of the healthy residuals of a study's fits; the cells beside which they lie.

    A fit's training scans are mapped as its healthy cohort was: under the same precision and limit, and with matched
    histograms where those were. No key and no other file changes.

    Raises:
        MissingData, BadFile: a fit is not there or cannot be read.
        UserError: the process of a plugin ends.
    """
    cells = residual_cells(study, run)
    for cell in cells:
        folder, files = run.healthy_residuals(cell), study.training_cases(cell.fit, "train")[: cell.limit]
        with lock(run, f"residuals-{cell.name}"):
            if has_residuals(folder):
                continue
            if runs_apart(cell.fit.target):
                with closing(Asked(_Maker, run, inference, threads_here())) as maker:
                    maker.ask("make", cell, files, quiet_seconds=QUIET_SECONDS)
            else:
                _make(run, cell, files, inference)
        log.info("  healthy residuals of %s (seed %d): %d training scans", cell.fit.method, cell.fit.seed, len(files))
    return cells


class _Maker:
    """In the process of a plugin."""

    def __init__(self, run: RunFolder, inference: Inference, threads: int) -> None:
        compute_as_parent(threads)
        self.given = open_run(run.root), inference  # registers the user's own cohorts

    def make(self, cell: Cell, files: list[CaseFiles]) -> None:
        run, inference = self.given
        _make(run, cell, files, inference)


def _make(run: RunFolder, cell: Cell, files: list[CaseFiles], inference: Inference) -> None:
    folder = run.healthy_residuals(cell)
    residuals = healthy_residuals(_scans(run, cell, files, inference))
    write_residuals(folder, residuals, load_case(files[0], cell.fit.grid).affine)
    write_checksums(folder, [path.name for path in sorted(folder.glob("*.nii.gz"))])


def _scans(run: RunFolder, cell: Cell, files: list[CaseFiles], inference: Inference) -> Iterator[ReconstructedScan]:
    detector = load_detector(read_fit(run.fit(cell.fit)), inference.device)
    for made in predict_cell(detector, files, cell, replace(inference, precision=cell.precision)):
        if made.reconstruction is None:
            raise ValueError(f"{cell.fit.method}: got no reconstruction of a training scan, expected one.")
        log.debug("  mapped %s", made.case.case_id)  # a sign of life
        yield ReconstructedScan(made.case.image[0], made.reconstruction[0], made.case.brain_mask)

"""survey: every method under every precision and slice batch that was asked for, one Timing each."""

import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.inference.predict import load_detector
from benchmark.inference.settings import Inference
from benchmark.methods.detector import Detector, LabelledDetector
from benchmark.methods.hyperparameters import build
from benchmark.metrics import dice
from benchmark.metrics.masks import above
from benchmark.metrics.ranking import best_dice
from benchmark.postprocessing.pipelines import DEPLOYED
from benchmark.postprocessing.steps import BrainMap
from benchmark.speed.flops import matrix_rate
from benchmark.speed.measurement import Measured, measure
from benchmark.storage.fits import find_fit
from benchmark.study.cells import Cell, Precision
from benchmark.study.study import Study
from datasets.case import Case, CaseFiles
from datasets.errors import BadValue
from datasets.grid import Cases

log = logging.getLogger(__name__)

TRAINING_CASES = 4  # that a method without training is fitted on


@dataclass(frozen=True)
class Ask:
    """What is to be measured.

    Attributes:
        inferences: ways of computing, in their order; the first in fp32 is what other precisions are compared with.
        volumes: of each cohort, at most.
        run: whose finished fits give the weights; None for weights as they are drawn.
    """

    study: Study
    inferences: Sequence[Inference]
    volumes: int
    run: Path | None


@dataclass(frozen=True)
class Timing:
    """One method's numbers under one way of computing.

    Attributes:
        weights: where they are from: `drawn`, `fitted here`, or the name of a run's fit.
        numbers: by their names in `NUMBERS`.
    """

    cell: Cell
    measured: Measured
    weights: str
    numbers: dict[str, float]


def survey(ask: Ask) -> Iterator[Timing]:
    """Measure; each number stands for itself, so that an interrupted survey has lost nothing.

    Raises:
        UserError: a run's fit cannot be used.
    """
    rates = {
        precision: matrix_rate(ask.inferences[0].device, precision)
        for precision in dict.fromkeys(one.precision for one in ask.inferences)
    }
    for cell in _wanted(ask.study):
        files = ask.study.mapped_cases(cell)[: ask.volumes]
        yield from _of_cell(ask, cell, files, rates)


def _of_cell(ask: Ask, cell: Cell, files: Sequence[CaseFiles], rates: dict[Precision, float]) -> Iterator[Timing]:
    reference: Measured | None = None
    for inference in ask.inferences:
        detector, weights = detector_of(ask, cell, inference.device)
        log.info("%s, %s, %d slices at once", cell.fit.method, inference.precision, inference.slice_batch)
        cases = Cases(files, cell.fit.grid)
        told = weights != "drawn" and len(ask.inferences) > 1
        measured = measure(detector, cases, inference, seed=cell.sampling_seed, keep_maps=told)
        if reference is None and inference.precision == "fp32":
            reference = measured
        numbers = measured.numbers(rates[inference.precision])
        if told and reference is not None and measured is not reference:
            numbers |= _effect(measured, reference, cases)
        yield Timing(replace(cell, precision=inference.precision), measured, weights, numbers)
        del detector
        gc.collect()


def _effect(measured: Measured, reference: Measured, cases: Sequence[Case]) -> dict[str, float]:
    """Of a precision, or of another slice batch; weights that were only drawn would say nothing."""
    own, others = measured.maps, reference.maps
    return {
        "map_difference": map_difference(own, others),
        "dice_difference": dice_difference(own, others, list(cases)),
    }


def detector_of(ask: Ask, cell: Cell, device: str) -> tuple[Detector, str]:
    """A detector, and where its weights are from.

    Its time depends on no weight, so that what a training would find is not needed; a method without training is
    fitted on a few cases, which costs nothing.
    """
    if ask.run is not None:
        kept = find_fit(cell.fit.method, ask.run)
        if kept.fit.grid != cell.fit.grid:
            raise BadValue(f"{kept.path}: got a fit on {kept.fit.grid}, expected {cell.fit.grid}; see --preset.")
        return load_detector(kept, device), kept.path.name
    torch.manual_seed(cell.fit.seed)
    detector = build(cell.fit.method, cell.fit.target, cell.fit.config).to(device)
    drawn = any(True for _ in detector.parameters())
    if not drawn:
        train = Cases(ask.study.training_cases(cell.fit, "train")[:TRAINING_CASES], cell.fit.grid)
        with TemporaryDirectory(prefix="uadbench-speed-") as folder:
            detector.fit(train, train, seed=cell.fit.seed, workdir=Path(folder))
    if isinstance(detector, LabelledDetector):
        detector.see_locations(torch.zeros(1, *cell.fit.grid.shape, device=device))
    return detector, "drawn" if drawn else "fitted here"


def _wanted(study: Study) -> list[Cell]:
    """Of each fit the cells of the cohorts that were asked for: those with lesions, or all where none has any."""
    with_lesions = {reference.cohort for reference in study.references}
    return [cell for cell in study.cells if cell.cohort in with_lesions] or list(study.cells)


Volume = NDArray[np.float32]
Maps = Mapping[str, Volume]


def map_difference(maps: Maps, reference: Maps) -> float:
    """The largest difference of any voxel of any case."""
    return max(float(np.abs(maps[case_id] - reference[case_id]).max()) for case_id in reference)


def dice_difference(maps: Maps, reference: Maps, cases: Sequence[Case]) -> float:
    """Mean Dice after the pipeline DEPLOYED, minus that of the reference; NaN where no case has a lesion.

    Both are cut at one threshold, the best of the reference: a precision that needs another is worse in use.
    """
    scored = [case for case in cases if case.lesion_mask is not None and case.lesion_mask.any()]
    if not scored:
        return nan
    own, others = (
        [DEPLOYED.filter(of[case.case_id], case.brain_mask, case.spacing) for case in scored]
        for of in (maps, reference)
    )
    scores = np.concatenate([one.scores[case.brain_mask] for one, case in zip(others, scored, strict=True)])
    lesions = np.concatenate([_lesion(case)[case.brain_mask] for case in scored])
    _, threshold = best_dice(scores, lesions)
    return _mean_dice(own, scored, threshold) - _mean_dice(others, scored, threshold)


def _mean_dice(filtered: Sequence[BrainMap], cases: Sequence[Case], threshold: float) -> float:
    predictions = (above(DEPLOYED.finish(one).scores, threshold) for one in filtered)
    return float(np.mean([dice(one, _lesion(case)) for one, case in zip(predictions, cases, strict=True)]))


def _lesion(case: Case) -> NDArray[np.bool_]:
    return np.zeros_like(case.brain_mask) if case.lesion_mask is None else case.lesion_mask

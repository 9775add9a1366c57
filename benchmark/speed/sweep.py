"""measure_speed: the speed of every method under every precision and slice batch, and what a precision changes."""

import gc
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from math import nan
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.inference.cpu import compute_as_parent, threads_here
from benchmark.inference.predict import load_detector
from benchmark.inference.settings import Inference
from benchmark.methods.card import covariates_of
from benchmark.methods.detector import Detector, LabelledDetector
from benchmark.methods.hyperparameters import build_detector
from benchmark.methods.registry import runs_apart
from benchmark.methods.told import Asked
from benchmark.metrics import dice
from benchmark.metrics.masks import above
from benchmark.metrics.ranking import best_dice
from benchmark.postprocessing.pipelines import DEPLOYED
from benchmark.postprocessing.steps import BrainMap
from benchmark.speed.flops import matrix_rate
from benchmark.speed.measurement import Measurement, measure
from benchmark.storage.fits import find_fit
from benchmark.study.cells import Cell, Precision
from benchmark.study.study import Study
from datasets.case import Case, CaseFiles
from datasets.errors import BadValue
from datasets.loading import Cases

log = logging.getLogger(__name__)

QUIET_SECONDS = 3600.0  # that a plugin may take for one timing
TRAINING_CASES = 4  # that a method without training is fitted on
Maps = Mapping[str, NDArray[np.float32]]  # by case_id, (X, Y, Z) each


@dataclass(frozen=True)
class SweepRequest:
    """What is to be measured.

    Attributes:
        inferences: settings, in their order; others are compared with the first in fp32.
        volumes: of each cohort, at most.
        run: whose finished fits give the weights; None for initial weights.
    """

    study: Study
    inferences: Sequence[Inference]
    volumes: int
    run: Path | None


@dataclass(frozen=True)
class Timing:
    """One method's numbers under one setting of inference.

    Attributes:
        weights: their origin: `drawn`, `fitted here`, or the name of a run's fit.
        numbers: by their names in `QUANTITIES`.
    """

    cell: Cell
    measured: Measurement
    weights: str
    numbers: dict[str, float]


def measure_speed(request: SweepRequest) -> Iterator[Timing]:
    """One timing after the other; an interruption keeps those before.

    Raises:
        UserError: a run's fit cannot be used.
    """
    rates = {
        precision: matrix_rate(request.inferences[0].device, precision)
        for precision in dict.fromkeys(one.precision for one in request.inferences)
    }
    for cell in _cells(request.study):
        files = request.study.mapped_cases(cell)[: request.volumes]
        apart = runs_apart(cell.fit.target)
        yield from _timings_apart(request, cell, files, rates) if apart else _timings(request, cell, files, rates)


def map_difference(maps: Maps, reference: Maps) -> float:
    """The largest difference of any voxel of any case."""
    return max(float(np.abs(maps[case_id] - reference[case_id]).max()) for case_id in reference)


def dice_difference(maps: Maps, reference: Maps, cases: Sequence[Case]) -> float:
    """Mean Dice after the pipeline DEPLOYED, minus that of the reference; NaN where no case has a lesion.

    Both are binarised at one threshold, the best of the reference: a precision that needs another one is worse in use.
    """
    scored = [case for case in cases if case.lesion_mask is not None and case.lesion_mask.any()]
    if not scored:
        return nan
    own, others = (
        [DEPLOYED.filter(of[case.case_id], case.brain_mask, case.spacing) for case in scored]
        for of in (maps, reference)
    )
    scores = np.concatenate([one.scores[_counted(case)] for one, case in zip(others, scored, strict=True)])
    lesions = np.concatenate([_lesion(case)[_counted(case)] for case in scored])
    _, threshold = best_dice(scores, lesions)
    return _mean_dice(own, scored, threshold) - _mean_dice(others, scored, threshold)


def _timings_apart(
    request: SweepRequest, cell: Cell, files: Sequence[CaseFiles], rates: dict[Precision, float]
) -> Iterator[Timing]:
    """The same of a plugin, in a process of its own, whose start counts nowhere."""
    with closing(Asked(_Timings, request, cell, files, rates, threads_here())) as asked:
        while (told := asked.ask("next", quiet_seconds=QUIET_SECONDS)) is not None:
            inference = Inference(**told["measured"].pop("inference"))
            measured = Measurement(inference=inference, **told["measured"])
            yield Timing(replace(cell, precision=inference.precision), measured, told["weights"], told["numbers"])


class _Timings:
    """In the process of a plugin."""

    def __init__(
        self,
        request: SweepRequest,
        cell: Cell,
        files: Sequence[CaseFiles],
        rates: dict[Precision, float],
        threads: int,
    ) -> None:
        compute_as_parent(threads)
        self.timings = _timings(request, cell, files, rates)

    def next(self) -> dict[str, Any] | None:
        """The next timing but for its cell and maps, as JSON has it; None after the last."""
        found = next(self.timings, None)
        if found is None:
            return None
        measured = asdict(replace(found.measured, maps={}))
        return {"measured": measured, "weights": found.weights, "numbers": found.numbers}


def _timings(
    request: SweepRequest, cell: Cell, files: Sequence[CaseFiles], rates: dict[Precision, float]
) -> Iterator[Timing]:
    reference: Measurement | None = None
    for inference in request.inferences:
        detector, weights = _detector(request, cell, inference.device)
        log.info("%s, %s, %d slices at once", cell.fit.method, inference.precision, inference.slice_batch)
        cases = Cases(files, cell.fit.grid, covariates=covariates_of(detector))
        compared = weights != "drawn" and len(request.inferences) > 1
        measured = measure(detector, cases, inference, seed=cell.sampling_seed, keep_maps=compared)
        if reference is None and inference.precision == "fp32":
            reference = measured
        numbers = measured.numbers(rates[inference.precision])
        if compared and reference is not None and measured is not reference:
            numbers |= _differences(measured, reference, cases)
        yield Timing(replace(cell, precision=inference.precision), measured, weights, numbers)
        del detector
        gc.collect()


def _detector(request: SweepRequest, cell: Cell, device: str) -> tuple[Detector, str]:
    """A detector, and the origin of its weights.

    Speed does not depend on the weights, so none are trained; a method without training is fitted on a few cases.
    """
    if request.run is not None:
        kept = find_fit(cell.fit.method, request.run)
        if kept.fit.grid != cell.fit.grid:
            raise BadValue(f"{kept.path}: got a fit on {kept.fit.grid}, expected {cell.fit.grid}; see --preset.")
        return load_detector(kept, device), kept.path.name
    torch.manual_seed(cell.fit.seed)
    fit = cell.fit
    detector = build_detector(fit.method, fit.target, fit.config, channels=fit.channels).to(device)
    drawn = any(True for _ in detector.parameters())
    if not drawn:
        train = Cases(request.study.training_cases(cell.fit, "train")[:TRAINING_CASES], cell.fit.grid)
        with TemporaryDirectory(prefix="uadbench-speed-") as folder:
            detector.fit(train, train, seed=cell.fit.seed, workdir=Path(folder))
    if isinstance(detector, LabelledDetector):
        detector.see_locations(torch.zeros(1, *cell.fit.grid.shape, device=device))
    return detector, "drawn" if drawn else "fitted here"


def _cells(study: Study) -> list[Cell]:
    """The cells of cohorts with lesions, or all where none has any."""
    with_lesions = {reference.cohort for reference in study.references}
    return [cell for cell in study.cells if cell.cohort in with_lesions] or list(study.cells)


def _differences(measured: Measurement, reference: Measurement, cases: Sequence[Case]) -> dict[str, float]:
    """Of the maps from the reference's, and of their Dice; only for fitted weights."""
    own, others = measured.maps, reference.maps
    return {
        "map_difference": map_difference(own, others),
        "dice_difference": dice_difference(own, others, list(cases)),
    }


def _mean_dice(filtered: Sequence[BrainMap], cases: Sequence[Case], threshold: float) -> float:
    predictions = (above(DEPLOYED.finish(one).scores, threshold) for one in filtered)
    pairs = zip(predictions, cases, strict=True)
    return float(np.mean([dice(one & _counted(case), _lesion(case)) for one, case in pairs]))


def _counted(case: Case) -> NDArray[np.bool_]:
    """The brain without what is ignored."""
    return case.brain_mask if case.ignore_mask is None else case.brain_mask & ~case.ignore_mask


def _lesion(case: Case) -> NDArray[np.bool_]:
    return np.zeros_like(case.brain_mask) if case.lesion_mask is None else case.lesion_mask

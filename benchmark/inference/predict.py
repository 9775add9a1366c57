"""predict: the maps of a fitted detector over a stream of cases."""

import hashlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.inference.device_transfer import PendingVolumes, device_context, is_gpu, to_device
from benchmark.inference.lesion_frequency import LesionFrequency
from benchmark.inference.prefetch import read_ahead
from benchmark.inference.settings import Inference, computing, prepare
from benchmark.inference.usage import Clock, StageTimer, clock
from benchmark.methods.card import card_of, covariates_of
from benchmark.methods.detector import Detector, LabelledDetector
from benchmark.methods.hyperparameters import build_detector
from benchmark.methods.weights import load_weights
from benchmark.storage.fits import FitFolder, check_fit_files
from benchmark.study.cells import Cell
from datasets.case import Case, CaseFiles
from datasets.cores import usable_cores
from datasets.errors import BadValue
from datasets.loading import Cases

log = logging.getLogger(__name__)
Volume = NDArray[np.float32]


@dataclass(frozen=True)
class Prediction:
    """The map of one case, and its reconstruction where the method makes one.

    Attributes:
        anomaly_map: `(X, Y, Z)` float32, nonnegative, 0 outside the brain.
        reconstruction: `(C, X, Y, Z)` float32, or None.
        seconds: this case's share of the computation; reading and writing are not in it.
    """

    case: Case
    anomaly_map: NDArray[np.float32]
    reconstruction: NDArray[np.float32] | None
    seconds: float


def load_detector(folder: FitFolder, device: str) -> Detector:
    """The detector of a finished fit, on a device.

    Raises:
        BadFile: its weights cannot be loaded, or a file of it is damaged.
        BadValue: it is a labelled detector, which needs the lesions of other patients, or its method has another
            revision by now.
    """
    detector = fitted_detector(folder, folder.fit.target, device)
    if isinstance(detector, LabelledDetector):
        raise BadValue(
            f"{folder.path.name}: got a labelled detector, which needs the lesions of a cohort's other patients, "
            "expected a method that maps a single scan."
        )
    return detector


def fitted_detector(folder: FitFolder, target: str, device: str) -> Detector:
    """The detector of a finished fit with its weights, built from the class at `target`, which may have moved.

    Raises:
        BadFile: its weights cannot be loaded, or a file of it is damaged or another's.
        BadValue: its method has another revision by now.
    """
    fit = folder.fit
    check_fit_files(folder.path, fit)
    detector = build_detector(fit.method, target, fit.config, fit.revision, channels=fit.channels).to(device)
    load_weights(detector, folder.path)
    return detector


def load_single_scan_detector(folder: FitFolder, device: str) -> Detector:
    """The same, of a method that maps one scan of one sequence.

    Raises:
        BadFile, BadValue: as `load_detector`; or it is a fit of several sequences, or of a transductive method.
    """
    if folder.fit.channels > 1:
        raise BadValue(f"{folder.path.name}: got a fit of {folder.sequence}, expected one of a single sequence.")
    detector = load_detector(folder, device)
    if is_transductive(detector):
        raise BadValue(f"{folder.path.name}: got a transductive method, expected one that maps a scan by itself.")
    return detector


def predict(
    detector: Detector, cases: Sequence[Case], inference: Inference, *, seed: int, timer: StageTimer | None = None
) -> Iterator[Prediction]:
    """Map `cases` in their order, reading ahead while the detector computes; memory stays constant.

    Each case's randomness derives from `seed` and its case_id alone. Where the device runs out of memory
    the batch is halved, with a warning; that of a transductive method, whose maps depend on it, never is. On a GPU
    the next batch is computed while the previous one is copied back and yielded.

    Args:
        timer: adds up the seconds of each stage.
    """
    timer, volumes = timer or StageTimer(), inference.volumes or detector.volumes_at_once
    inference = replace(inference, volumes=volumes)
    prepare(detector, inference)
    pending: deque[_PendingBatch] = deque()
    readers = usable_cores() if is_gpu(inference.device) else 1  # on a CPU the detector wants the cores
    ahead = read_ahead(_TimedCases(cases, timer), max(volumes, readers), workers=readers)
    for batch in _batches(ahead, volumes):
        while batch:
            now = batch[: inference.volumes]
            try:
                pending.append(_launch(detector, now, inference, seed, timer))
            except torch.OutOfMemoryError:
                if not pending and is_transductive(detector):
                    raise
                if not pending:  # nothing else holds memory that could be freed
                    inference = _halved(inference)
                    timer.halvings += 1
                yield from _finish(pending, timer, left=0)
                torch.cuda.empty_cache()
                continue
            yield from _finish(pending, timer, left=int(is_gpu(inference.device)))
            batch = batch[len(now) :]
    yield from _finish(pending, timer, left=0)


def predict_cell(
    detector: Detector, files: Sequence[CaseFiles], cell: Cell, inference: Inference
) -> Iterator[Prediction]:
    """Map cases of one cell in their order.

    A labelled detector first sees where other patients' lesions lie; a transductive one is handed each split at once.
    """
    covariates = covariates_of(detector)
    if is_transductive(detector):
        for _, own in groupby(files, key=lambda one: one.split):
            cases = Cases(list(own), cell.fit.grid, cell.shift, covariates)
            yield from predict(detector, cases, replace(inference, volumes=len(cases)), seed=cell.sampling_seed)
        return
    if not isinstance(detector, LabelledDetector):
        cases = Cases(files, cell.fit.grid, cell.shift, covariates)
        yield from predict(detector, cases, inference, seed=cell.sampling_seed)
        return
    frequency = LesionFrequency(files, cell.fit.grid)
    for subject_id, own in groupby(files, key=lambda one: one.subject_id):
        detector.see_locations(torch.from_numpy(frequency.of_others(subject_id))[None])  # (1, X, Y, Z)
        cases = Cases(list(own), cell.fit.grid, cell.shift, covariates)
        yield from predict(detector, cases, inference, seed=cell.sampling_seed)


def is_transductive(detector: Detector) -> bool:
    """Whether a case's map depends on the cases that are mapped with it."""
    card = card_of(detector)
    return card is not None and card.transductive


def case_seed(seed: int, case_id: str) -> int:
    """63 bits that depend on nothing but the two."""
    mixed = hashlib.sha256(f"{seed}\0{case_id}".encode()).digest()
    return int.from_bytes(mixed[:8], "big") >> 1


@dataclass(frozen=True)
class _PendingBatch:
    """A batch whose computation is queued or complete."""

    cases: Sequence[Case]
    maps: PendingVolumes
    reconstructions: PendingVolumes | None
    clock: Clock


class _TimedCases(Sequence[Case]):
    """Cases, with the time that reading them takes."""

    def __init__(self, cases: Sequence[Case], timer: StageTimer) -> None:
        self.cases, self.timer = cases, timer

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, index: Any) -> Any:
        with self.timer.timed("read"):
            return self.cases[index]


def _launch(
    detector: Detector, cases: Sequence[Case], inference: Inference, seed: int, timer: StageTimer
) -> _PendingBatch:
    detector.slice_batch = inference.slice_batch
    with device_context(inference.device):
        seeds = [case_seed(seed, case.case_id) for case in cases]
        inputs, watch = to_device(cases, seeds, inference.device, timer), clock(inference.device)
        detector.see_covariates(cases)
        watch.start()
        with computing(inference):
            maps, reconstructions = detector.map_and_reconstruction(
                inputs.images, inputs.brain_masks, seeds=inputs.seeds
            )
        watch.stop()
        _check_volumes("Anomaly map", maps, inputs.brain_masks, cases)
        if reconstructions is not None:
            _check_volumes("Reconstruction", reconstructions, inputs.images, cases)
        returned = None if reconstructions is None else PendingVolumes(reconstructions)
        return _PendingBatch(cases, PendingVolumes(maps), returned, watch)


def _finish(pending: deque[_PendingBatch], timer: StageTimer, *, left: int) -> Iterator[Prediction]:
    """Predictions of the pending batches in their order, until only `left` batches are pending."""
    while len(pending) > left:
        yield from _collect(pending.popleft(), timer)


def _collect(done: _PendingBatch, timer: StageTimer) -> list[Prediction]:
    seconds = done.clock.seconds()
    timer.add("compute", seconds)
    with timer.timed("copy"):
        maps = done.maps.volumes()
        reconstructions = None if done.reconstructions is None else done.reconstructions.volumes()
    with timer.timed("post"):
        return [
            _prediction(
                case, maps[index, 0], None if reconstructions is None else reconstructions[index], seconds / len(maps)
            )
            for index, case in enumerate(done.cases)
        ]


def _prediction(case: Case, volume: Volume, reconstruction: Volume | None, seconds: float) -> Prediction:
    _check_values("Anomaly map", volume, case, lowest=0)
    if reconstruction is not None:
        _check_values("Reconstruction", reconstruction, case, lowest=-np.inf)
        reconstruction = reconstruction.copy()  # a copy, so that the batch can be freed
    return Prediction(case, np.where(case.brain_mask, volume, np.float32(0)), reconstruction, seconds)


def _check_volumes(what: str, volumes: Tensor, like: Tensor, cases: Sequence[Case]) -> None:
    names = ", ".join(case.case_id for case in cases)
    if volumes.shape != like.shape:
        raise ValueError(f"{what} of {names}: got shape {tuple(volumes.shape)}, expected {tuple(like.shape)}.")
    if volumes.is_complex():
        raise ValueError(f"{what} of {names}: got {volumes.dtype} values, expected real numbers.")


def _check_values(what: str, volume: Volume, case: Case, *, lowest: float) -> None:
    if not (np.isfinite(volume) & (volume >= lowest)).all():
        got = f"values from {float(volume.min()):g} to {float(volume.max()):g}"
        raise ValueError(f"{what} of case '{case.case_id}': got {got}, expected finite ones from {lowest:g} up.")


def _halved(inference: Inference) -> Inference:
    """Halve the volumes first: that leaves the slice batch and so every bit of a map."""
    volumes = inference.volumes or 1
    if volumes > 1:
        smaller = replace(inference, volumes=volumes // 2)
    elif inference.slice_batch > 1:
        smaller = replace(inference, slice_batch=inference.slice_batch // 2)
    else:
        raise MemoryError(f"{inference.device} runs out of memory with one slice of one volume at a time.")
    log.warning("Out of memory: continuing with %d volumes, %d slices at once.", smaller.volumes, smaller.slice_batch)
    return smaller


def _batches(cases: Iterable[Case], size: int) -> Iterator[list[Case]]:
    stream = iter(cases)
    while batch := list(islice(stream, size)):
        yield batch

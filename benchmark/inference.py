"""predict: a fitted detector over a stream of cases."""

import hashlib
import logging
import resource
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.detector import Detector
from benchmark.exact import exact_float32
from benchmark.study import Precision
from datasets.case import Case
from datasets.errors import BadValue

log = logging.getLogger(__name__)
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class Inference:
    """How maps are computed; only `precision` changes them by more than rounding.

    Attributes:
        slice_batch: slices that a slice-wise method processes at once.
        volumes: cases handed to the detector at once.
    """

    device: str = "cpu"
    precision: Precision = "fp32"
    slice_batch: int = 32
    volumes: int = 4


@dataclass(frozen=True)
class Prediction:
    """What a detector says of one case.

    Attributes:
        anomaly_map: `(X, Y, Z)` float32, nonnegative, 0 outside the brain.
        reconstruction: `(X, Y, Z)` float32, or None.
        seconds: this case's share of the computation; reading and writing are not in it.
    """

    case: Case
    anomaly_map: NDArray[np.float32]
    reconstruction: NDArray[np.float32] | None
    seconds: float


def pick_device(asked: str) -> str:
    """`auto` is the GPU where there is one.

    Raises:
        BadValue: there is no such device here.
    """
    if asked == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=asked).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise BadValue(f"--device: got '{asked}' ({reason}), wanted auto, cpu, cuda or cuda:N.") from error
    return asked


def predict(detector: Detector, cases: Sequence[Case], inference: Inference, *, seed: int) -> Iterator[Prediction]:
    """Map `cases` in their order, reading ahead while the detector computes; memory stays constant.

    Each case's randomness derives from `seed` and its case_id alone. Where the device runs out of
    memory the batch is halved, which is logged.
    """
    detector.eval()
    for batch in _batches(_read_ahead(cases, 2 * inference.volumes), inference.volumes):
        while batch:
            now = batch[: inference.volumes]
            try:
                predictions = _predict_batch(detector, now, inference, seed)
            except torch.OutOfMemoryError:
                inference = _halved(inference)
                torch.cuda.empty_cache()
                continue
            yield from predictions
            batch = batch[len(now) :]


def case_seed(seed: int, case_id: str) -> int:
    """63 bits that depend on nothing but the two."""
    mixed = hashlib.sha256(f"{seed}\0{case_id}".encode()).digest()
    return int.from_bytes(mixed[:8], "big") >> 1


def forget_peak(device: str) -> None:
    """Let `peak_bytes` count from now on; where the system has no way to, it counts from the process's start."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")  # proc(5): resets the peak resident set size


def peak_bytes(device: str) -> int:
    """The most memory held since `forget_peak`: allocated on the GPU, else resident in this process."""
    if torch.device(device).type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def _predict_batch(detector: Detector, cases: Sequence[Case], inference: Inference, seed: int) -> list[Prediction]:
    detector.slice_batch = inference.slice_batch
    images = _on_device(np.stack([case.image for case in cases]), inference.device)  # (N, 1, X, Y, Z)
    brains = _on_device(np.stack([case.brain_mask[None] for case in cases]), inference.device)
    seeds = torch.tensor([case_seed(seed, case.case_id) for case in cases], device=images.device)
    _synchronise(inference.device)
    begin = time.perf_counter()
    with torch.inference_mode(), exact_float32(), _autocast(inference):
        maps, reconstructions = detector.map_and_reconstruction(images, brains, seeds=seeds)
    _synchronise(inference.device)
    seconds = (time.perf_counter() - begin) / len(cases)
    _check("Anomaly map", maps, images, cases, lowest=0)
    if reconstructions is not None:
        _check("Reconstruction", reconstructions, images, cases)
    return [
        Prediction(
            case,
            np.where(case.brain_mask, _volume(maps, index), np.float32(0)),
            None if reconstructions is None else _volume(reconstructions, index),
            seconds,
        )
        for index, case in enumerate(cases)
    ]


def _check(what: str, volumes: Tensor, images: Tensor, cases: Sequence[Case], *, lowest: float = -np.inf) -> None:
    if volumes.shape != images.shape:
        names = ", ".join(case.case_id for case in cases)
        raise ValueError(f"{what} of {names}: got shape {tuple(volumes.shape)}, wanted {tuple(images.shape)}.")
    fine = (volumes.isfinite() & (volumes >= lowest)).flatten(1).all(1).tolist()
    for case, volume, usable in zip(cases, volumes, fine, strict=True):
        if not usable:
            got = f"values from {float(volume.min()):g} to {float(volume.max()):g}"
            raise ValueError(f"{what} of case '{case.case_id}': got {got}, wanted finite ones from {lowest:g} up.")


def _volume(volumes: Tensor, index: int) -> NDArray[np.float32]:
    return volumes[index, 0].float().cpu().numpy()


def _on_device(array: NDArray[np.generic], device: str) -> Tensor:
    tensor = torch.from_numpy(array)
    if torch.device(device).type != "cuda":
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)


def _autocast(inference: Inference) -> AbstractContextManager[object]:
    kind = torch.device(inference.device).type
    return torch.autocast(kind, DTYPES[inference.precision], enabled=inference.precision != "fp32")


def _synchronise(device: str) -> None:
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def _halved(inference: Inference) -> Inference:
    """Fewer volumes first: that changes no slice batch and so not one bit of a map."""
    if inference.volumes > 1:
        smaller = replace(inference, volumes=inference.volumes // 2)
    elif inference.slice_batch > 1:
        smaller = replace(inference, slice_batch=inference.slice_batch // 2)
    else:
        raise MemoryError(f"{inference.device} runs out of memory with one slice of one volume at a time.")
    log.warning("Out of memory: going on with %d volumes, %d slices at once.", smaller.volumes, smaller.slice_batch)
    return smaller


def _read_ahead(cases: Sequence[Case], ahead: int) -> Iterator[Case]:
    """The cases in order, the next few being read by a thread meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting: deque[Future[Case]] = deque()
        for index in range(len(cases)):
            waiting.append(reader.submit(cases.__getitem__, index))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _batches(cases: Iterable[Case], size: int) -> Iterator[list[Case]]:
    stream = iter(cases)
    while batch := list(islice(stream, size)):
        yield batch

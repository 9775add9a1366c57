"""train_on_slices: a fit on one device or on several, from the start or resumed from its checkpoints."""

import json
import logging
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from torch.nn.attention import SDPBackend, sdpa_kernel

from baselines.slices.sampling import Volumes, hold_volumes
from baselines.slices.seeding import seeded
from baselines.training.loop import HealthyVolumes, train_stages
from baselines.training.resume import StageCheckpoints
from baselines.training.stage import TrainableDetector
from benchmark.methods.exact_float32 import exact_float32
from datasets.case import Case

CHECKPOINT_FORMAT = 2
PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}
LIGHTNING_LOGGERS = ("lightning.pytorch", "lightning.fabric")
# Files through which volumes and weights pass between processes: a container's shared memory is often smaller than a
# network. No stage's name begins with a dot.
VOLUMES, WEIGHTS = ".volumes", ".weights"


def train_on_slices(
    detector: TrainableDetector, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path
) -> None:
    """Train the stages of a detector whose weights were drawn under `seed`, or resume an interrupted fit.

    Draws from torch's global generators. Logs go to `workdir/log`, speeds to `workdir/training.json`;
    checkpoints are in `workdir/checkpoints` until the fit is complete.

    Raises:
        ValueError: slices are not of `config.size`, a cohort is empty, the CPU is to train in fp16, or a batch
            cannot be shared by the devices.
        FloatingPointError: a loss is NaN or infinite.
    """
    single = detector.devices == 1
    device = detector.device if single else torch.device("cpu")
    healthy = HealthyVolumes(hold_volumes(train, "training", device), hold_volumes(val, "validation", device))
    for volumes in (healthy.train, healthy.val):
        detector.check(volumes.images.shape[-3:])
    checkpoints = StageCheckpoints(workdir / "checkpoints")
    checkpoints.claim(_identity(detector, healthy, seed))
    with _quiet_lightning(), _deterministic():
        fabric = _fabric(detector)
        if single:
            train_stages(fabric, detector, healthy, seed=seed, workdir=workdir, checkpoints=checkpoints)
        else:
            job = _RankJob(type(detector), detector.config, detector.input_channels, seed, workdir, checkpoints)
            _train_in_processes(fabric, detector, healthy, job)
    checkpoints.clear()


def _identity(detector: TrainableDetector, healthy: HealthyVolumes, seed: int) -> str:
    """Digest of all that decides the weights: method, config, seed and data."""
    method = [CHECKPOINT_FORMAT, type(detector).__qualname__, asdict(detector.config), seed]
    digest = sha256(json.dumps(method, sort_keys=True, default=str).encode())
    for volumes in (healthy.train, healthy.val):
        digest.update(repr(tuple(volumes.images.shape)).encode())
        for held in (volumes.images, volumes.brain_masks):
            digest.update(held.cpu().numpy().data)
    return digest.hexdigest()


def _fabric(detector: TrainableDetector) -> Fabric:
    """Lightning's hardware and precision: the detector's device, or a spawned process for each of `devices`."""
    device, single = detector.device, detector.devices == 1
    own = [device.index or 0] if device.type == "cuda" else 1
    return Fabric(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=own if single else detector.devices,
        strategy="auto" if single else "ddp_spawn",
        precision=PRECISIONS[detector.config.precision],
        plugins=[_SingleNode()],  # even in a SLURM job of several tasks: each task trains a fit of its own
    )


class _SingleNode(LightningEnvironment):
    """Silences Lightning in a spawned process, which gets here before any other code of this package."""

    def set_global_rank(self, rank: int) -> None:
        super().set_global_rank(rank)
        for name in LIGHTNING_LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)


@dataclass(frozen=True)
class _RankJob:
    """What a spawned process has to know; `method` and `config` have to be importable by name."""

    method: type[TrainableDetector]
    config: Any
    channels: int
    seed: int
    workdir: Path
    checkpoints: StageCheckpoints


def _train_in_processes(fabric: Fabric, detector: TrainableDetector, healthy: HealthyVolumes, job: _RankJob) -> None:
    """Train in one process a device and load the result into `detector`.

    Raises:
        FloatingPointError: a loss is NaN or infinite.
    """
    job.checkpoints.write(VOLUMES, {field.name: vars(getattr(healthy, field.name)) for field in fields(healthy)})
    with _restored_port():
        failure = fabric.launch(partial(_train_rank, job=job))
    if failure is not None:
        raise failure
    detector.load_state_dict(job.checkpoints.read(WEIGHTS))


def _train_rank(fabric: Fabric, job: _RankJob) -> FloatingPointError | None:
    """Train in a spawned process; all ranks see the same losses, so either all fail or none."""
    with _quiet_lightning(), _deterministic(), seeded(job.seed, fabric.device):
        detector = job.method.for_channels(job.config, job.channels).to(fabric.device)
        stored = job.checkpoints.read(VOLUMES)
        healthy = HealthyVolumes(**{role: _on_device(fabric, held) for role, held in stored.items()})
        try:
            train_stages(fabric, detector, healthy, seed=job.seed, workdir=job.workdir, checkpoints=job.checkpoints)
        except FloatingPointError as error:
            return error
        if fabric.is_global_zero:
            job.checkpoints.write(WEIGHTS, detector.state_dict())
    return None


def _on_device(fabric: Fabric, held: Any) -> Volumes:
    return Volumes(held["images"].to(fabric.device), held["brain_masks"].to(fabric.device), held["spacing"])


@contextmanager
def _restored_port() -> Iterator[None]:
    """Restore MASTER_PORT: Lightning leaves the port of its processes there, and the next fit would take it."""
    before = os.environ.get("MASTER_PORT")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("MASTER_PORT", None)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Suppress Lightning's announcements and advice; errors and the detector's own warnings pass."""
    loggers = [logging.getLogger(name) for name in LIGHTNING_LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Use algorithms that add in a fixed order, and exact float32, so that equal seeds give equal weights on a GPU.

    The fast attention kernels add gradients in no fixed order, and cuDNN's choice of convolutions may differ between
    runs.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with exact_float32(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before

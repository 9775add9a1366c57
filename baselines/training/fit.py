"""quiet: what the process says while it trains."""

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

from baselines.reconstruction import SliceReconstruction
from baselines.slices.sampling import Volumes, hold_volumes
from baselines.slices.seeding import seeded
from baselines.training.loop import Healthy, train_stages
from baselines.training.resume import SavedStages
from benchmark.methods.exact_float32 import exact_float32
from datasets.case import Case

ANNOUNCERS = ("lightning.pytorch", "lightning.fabric")


@contextmanager
def quiet() -> Iterator[None]:
    """Lightning's announcements and advice are left out; errors and the detector's own warnings pass."""
    loggers = [logging.getLogger(name) for name in ANNOUNCERS]
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
def repeatable() -> Iterator[None]:
    """Algorithms that add in one order: equal seeds are to give equal weights.

    The fast kernels of attention add gradients in no fixed order, and cuDNN's choice of convolutions may change
    from run to run. float32 is float32.
    """
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        with exact_float32(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before


PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


def fabric_for(detector: SliceReconstruction) -> Fabric:
    """The detector's own device, or the first `detector.devices` of its kind, a spawned process each."""
    device, alone = detector.device, detector.devices == 1
    own = [device.index or 0] if device.type == "cuda" else 1
    return Fabric(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=own if alone else detector.devices,
        strategy="auto" if alone else "ddp_spawn",
        precision=PRECISIONS[detector.config.precision],
        plugins=[_Environment()],  # who runs several fits on a cluster gives each one process
    )


class _Environment(LightningEnvironment):
    """Announces no process: a spawned one gets here before anything of ours."""

    def set_global_rank(self, rank: int) -> None:
        super().set_global_rank(rank)
        for name in ANNOUNCERS:
            logging.getLogger(name).setLevel(logging.ERROR)


VOLUMES, FITTED = ".volumes", ".fitted"  # no stage's name begins with a dot


@dataclass(frozen=True)
class Order:
    """What a process has to know; `detector` and `config` have to be importable by name."""

    detector: type[SliceReconstruction]
    config: Any
    seed: int
    workdir: Path
    saved: SavedStages


def train_in_processes(fabric: Fabric, detector: SliceReconstruction, healthy: Healthy, order: Order) -> None:
    """Leave in `detector` what the processes of `fabric` made of weights drawn under the order's seed.

    Raises:
        FloatingPointError: a loss is NaN or infinite.
    """
    order.saved.write(VOLUMES, {field.name: vars(getattr(healthy, field.name)) for field in fields(healthy)})
    with _own_port():
        failure = fabric.launch(partial(_train_rank, order=order))
    if failure is not None:
        raise failure
    detector.load_state_dict(order.saved.read(FITTED))


def _train_rank(fabric: Fabric, order: Order) -> FloatingPointError | None:
    """All ranks see the same losses, so that none waits for one that gave up."""
    with quiet(), repeatable(), seeded(order.seed, fabric.device):
        detector = order.detector(order.config).to(fabric.device)
        healthy = Healthy(**{role: _on_device(fabric, held) for role, held in order.saved.read(VOLUMES).items()})
        try:
            train_stages(fabric, detector, healthy, seed=order.seed, workdir=order.workdir, saved=order.saved)
        except FloatingPointError as error:
            return error
        if fabric.is_global_zero:
            order.saved.write(FITTED, detector.state_dict())
    return None


def _on_device(fabric: Fabric, held: Any) -> Volumes:
    return Volumes(held["images"].to(fabric.device), held["brain_masks"].to(fabric.device), held["spacing"])


@contextmanager
def _own_port() -> Iterator[None]:
    """Lightning leaves the port of its processes in the environment, where the next fit would take it."""
    before = os.environ.get("MASTER_PORT")
    try:
        yield
    finally:
        if before is None:
            os.environ.pop("MASTER_PORT", None)


CHECKPOINT_FORMAT = 2


def train_on_slices(
    detector: SliceReconstruction, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path
) -> None:
    """Train the stages of a detector whose weights were drawn under `seed`, or go on where a fit was interrupted.

    Draws from torch's global generators. Logs go to `workdir/log`, speeds to `workdir/training.json`;
    checkpoints are in `workdir/checkpoints` until the end.

    Raises:
        ValueError: slices are not of `config.size`, a cohort is empty, the CPU is to train in fp16, or a batch
            cannot be shared by the devices.
        FloatingPointError: a loss is NaN or infinite.
    """
    alone = detector.devices == 1
    device = detector.device if alone else torch.device("cpu")
    healthy = Healthy(hold_volumes(train, "training", device), hold_volumes(val, "validation", device))
    for volumes in (healthy.train, healthy.val):
        detector.check(volumes.images.shape[-3:])
    saved = SavedStages(workdir / "checkpoints")
    saved.claim(_identity(detector, healthy, seed))
    with quiet(), repeatable():
        fabric = fabric_for(detector)
        if alone:
            train_stages(fabric, detector, healthy, seed=seed, workdir=workdir, saved=saved)
        else:
            order = Order(type(detector), detector.config, seed, workdir, saved)
            train_in_processes(fabric, detector, healthy, order)
    saved.clear()


def _identity(detector: SliceReconstruction, healthy: Healthy, seed: int) -> str:
    """Digest of all that decides the weights: method, config, seed and data."""
    cls = type(detector)
    said = [CHECKPOINT_FORMAT, cls.__qualname__, asdict(detector.config), seed]
    digest = sha256(json.dumps(said, sort_keys=True, default=str).encode())
    for volumes in (healthy.train, healthy.val):
        digest.update(repr(tuple(volumes.images.shape)).encode())
        for held in (volumes.images, volumes.brain_masks):
            digest.update(held.cpu().numpy().data)
    return digest.hexdigest()

"""Training of a SliceReconstruction, on one device or on several, from the start or from an interruption."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path

import torch

from baselines.reconstruction import SliceReconstruction
from baselines.slices.sampling import hold_volumes
from baselines.training.fabrics import fabric_for
from baselines.training.fit import quiet
from baselines.training.processes import Order, train_in_processes
from baselines.training.repeatable import repeatable
from baselines.training.resume import SavedStages
from baselines.training.sequence import Healthy, train_stages
from datasets.case import Case

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

"""train_in_processes: a fit on several devices, a spawned process each; what is large passes through files.

Files, since a container's shared memory is often smaller than a network.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

from lightning.fabric import Fabric

from baselines.reconstruction import SliceReconstruction
from baselines.slices.sampling import Volumes
from baselines.slices.seeding import seeded
from baselines.training.fit import quiet
from baselines.training.repeatable import repeatable
from baselines.training.resume import SavedStages
from baselines.training.sequence import Healthy, train_stages

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

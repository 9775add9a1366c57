"""Fabrics: Lightning's hardware and precision for a training, on one device or on several."""

import logging
from typing import Literal

from lightning.fabric import Fabric
from lightning.fabric.plugins.environments.lightning import LightningEnvironment

from baselines.reconstruction import SliceReconstruction
from baselines.training.fit import ANNOUNCERS

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

"""train_stages: a fit's stages one after the other, in one of the processes that train."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lightning.fabric import Fabric

from baselines.reconstruction import SliceReconstruction
from baselines.slices.sampling import Volumes, evenly_spaced_slices
from baselines.slices.seeding import mix_seed, seeded
from baselines.training.loop import Surroundings
from baselines.training.record import write_records
from baselines.training.resume import SavedStages
from baselines.training.stage import Stage
from baselines.training.stage_training import train_stage

VALIDATION_SLICES = 8  # a case: neighbouring slices say nearly the same


@dataclass(frozen=True)
class Healthy:
    """The volumes of a fit."""

    train: Volumes
    val: Volumes


def train_stages(
    fabric: Fabric, detector: SliceReconstruction, healthy: Healthy, *, seed: int, workdir: Path, saved: SavedStages
) -> None:
    """Train what `detector.stages()` yields, and write what came of it; the volumes are on the detector's device.

    Raises:
        ValueError: two stages share a name.
        FloatingPointError: a loss is NaN or infinite.
    """
    detector.eval()
    around = Surroundings(
        fabric=fabric,
        detector=detector,
        config=detector.config,
        batch=detector.inputs_a_step,
        stack=detector.stack,
        volumes=healthy.train,
        fixed=evenly_spaced_slices(healthy.val, VALIDATION_SLICES, stack=detector.stack),
        seed=seed,
        workdir=workdir,
        saved=saved,
    )
    records = [train_stage(around, stage) for stage in _stages(detector, seed)]
    if fabric.is_global_zero:
        write_records(records, workdir)


def _stages(detector: SliceReconstruction, seed: int) -> Iterator[Stage]:
    """What a stage draws while it is made depends on the seed and its place alone, not on the stages before."""
    stages, names = detector.stages(), set[str]()
    while True:
        with seeded(mix_seed(seed, len(names)), detector.device):
            stage = next(stages, None)
        if stage is None:
            return
        if stage.name in names:
            raise ValueError(f"Got a second stage '{stage.name}', wanted names that differ.")
        names.add(stage.name)
        yield stage

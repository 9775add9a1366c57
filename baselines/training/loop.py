"""The training loop: a fit's stages one after the other, each from its first or its saved step to the kept weights."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor

from baselines.slices.sampling import Batches, Volumes, evenly_spaced_slices
from baselines.slices.seeding import mix_seed, seeded
from baselines.training.all_reduce import broadcast_buffers, reduce_over_ranks
from baselines.training.log import StageRecord, StepBar, TrainingLog, log_folder, write_records
from baselines.training.model_selection import BestWeights, Validation, WeightAverage, check_finite
from baselines.training.resume import StageCheckpoints
from baselines.training.stage import Stage, TrainableDetector
from baselines.training.timing import Schedule, StepStopwatch
from baselines.training.updates import AlternatingUpdates, rate_factor_of
from benchmark.methods.termination import Terminated, postponed_termination

VALIDATION_SLICES = 8  # a case: neighbouring slices say nearly the same
CHECKPOINT_SECONDS = 30.0  # between two checkpoints, at least
PICTURE_SLICES = 4


@dataclass(frozen=True)
class HealthyVolumes:
    """The volumes that a fit learns from and validates on."""

    train: Volumes
    val: Volumes


@dataclass(frozen=True)
class Context:
    """What all stages of a fit share, in one of the processes that train.

    Attributes:
        detector: a stage's loss may reach all of its weights.
        validation_slices: `(M, stack, X, Y)`, fixed.
    """

    fabric: Fabric
    detector: TrainableDetector
    volumes: Volumes
    validation_slices: Tensor
    seed: int
    workdir: Path
    checkpoints: StageCheckpoints


def train_stages(
    fabric: Fabric,
    detector: TrainableDetector,
    healthy: HealthyVolumes,
    *,
    seed: int,
    workdir: Path,
    checkpoints: StageCheckpoints,
) -> None:
    """Train the stages of a detector and write their records; the volumes are on the detector's device.

    Raises:
        ValueError: two stages share a name.
        FloatingPointError: a loss is NaN or infinite.
    """
    detector.eval()
    slices = evenly_spaced_slices(healthy.val, VALIDATION_SLICES, stack=detector.stack)
    context = Context(fabric, detector, healthy.train, slices, seed, workdir, checkpoints)
    records = [train_stage(context, stage) for stage in _stages(detector, seed)]
    if fabric.is_global_zero:
        write_records(records, workdir)


def train_stage(context: Context, stage: Stage) -> StageRecord:
    """Train a stage, or read it from disk where it was completed before; its network holds the kept weights then.

    Raises:
        FloatingPointError: the validation loss, or a loss of a stage without one, is NaN or infinite.
    """
    stage.network.to(context.fabric.device)
    state = context.checkpoints.read(stage.name)
    if "record" not in state:
        state = StageTraining(context, stage).run(state)
        if context.fabric.is_global_zero:
            context.checkpoints.write(stage.name, state)
    stage.network.load_state_dict(state["weights"])
    stage.network.eval()
    return StageRecord(**state["record"])


class StageTraining:
    """A stage in training; its saved state is all that the remaining steps depend on."""

    def __init__(self, context: Context, stage: Stage) -> None:
        fabric, detector = context.fabric, context.detector
        self.context, self.stage, self.fabric, self.network = context, stage, fabric, stage.network
        self.config = detector.config
        self.batches = Batches(
            context.volumes,
            steps=stage.steps,
            size=detector.inputs_a_step,
            stack=detector.stack,
            augment=stage.augment,
            seed=context.seed,
            stage=stage.name,
            rank=fabric.global_rank,
            ranks=fabric.world_size,
        )
        self.validation = Validation(fabric, context.validation_slices, batch_size=detector.inputs_a_step)
        weights = (*stage.network.parameters(), *detector.parameters())
        _reset_loss_scale(fabric)
        self.updates = AlternatingUpdates(
            fabric,
            stage.players,
            weights,
            gradient_clip=self.config.gradient_clip,
            rate_factor=rate_factor_of(self.config.schedule, stage.steps),
        )
        self.average = WeightAverage(stage.network, self.config.ema)
        self.best = BestWeights()
        self.stopwatch = StepStopwatch(fabric.device)
        self.schedule = Schedule(stage.steps, self.config.validate_every)
        self.step, self.saved_at = 0, time.monotonic()
        self.log: TrainingLog | None = None
        self.bar: StepBar | None = None

    def run(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Take the steps that are left after a saved `state`, all where it is empty; kept weights and record."""
        if state:
            self._load(state)
        self.network.train()
        with self._logging(), postponed_termination() as termination_requested:
            self.stopwatch.start()
            while self.step < self.stage.steps and not self._out_of_patience():
                if termination_requested():
                    self._terminate()
                self._take_step()
                if self.schedule.any(self.step):
                    with self.stopwatch.paused():
                        self._pause()
        self.updates.zero_gradients()
        if self.stage.validation_loss is None:
            with self.average.in_place():
                self.best.keep(self.network, self.step)
        return {"weights": self.best.weights, "record": asdict(self._record())}

    def _take_step(self) -> None:
        timed = self.schedule.log_row(self.step)
        with self.stopwatch.waiting() if timed else nullcontext():
            slices = self.batches.slices(self.step)
        with seeded(self.batches.seed(self.step), self.fabric.device):
            self.updates.step(slices, self.step)
        broadcast_buffers(self.fabric, self.network)
        self.step += 1
        self.average.update(self.step)

    def _terminate(self) -> None:
        """Save and stop between two steps, where the state is complete: the next fit takes the step after."""
        if self.fabric.is_global_zero and self.step:
            self._write()
        raise Terminated

    def _out_of_patience(self) -> bool:
        patience = self.config.patience
        return patience is not None and self.best.validations_since >= patience

    def _pause(self) -> None:
        """Validate, log and save what is due after this step."""
        numbers = self._losses()
        with self._evaluation_mode():
            if self.stage.validation_loss is not None and self.schedule.validation(self.step):
                numbers["val_loss"] = self.validation.loss(self.stage.validation_loss)
                self.best.update(self.network, numbers["val_loss"], self.step)
            if self.schedule.picture(self.step):
                self._log_picture()
        self._log_numbers(numbers)
        if self.schedule.checkpoint(self.step):
            self._save()

    def _losses(self) -> dict[str, float]:
        """Of each player's latest update, the mean over the ranks."""
        latest = torch.stack([loss.float() for loss in self.updates.losses.values()])
        means = reduce_over_ranks(self.fabric, latest, "mean")
        losses = dict(zip(self.updates.losses, means.tolist(), strict=True))
        if self.stage.validation_loss is None:
            for name, loss in losses.items():
                check_finite(loss, f"loss '{name}'", self.step)
        return losses

    @contextmanager
    def _evaluation_mode(self) -> Iterator[None]:
        """Within the block the network is in evaluation mode, with the averaged weights."""
        self.network.eval()
        with self.average.in_place(), torch.no_grad():
            yield
        self.network.train()

    def _log_picture(self) -> None:
        if self.log is not None and self.stage.reconstruct is not None:
            fixed = self.context.validation_slices
            positions = torch.linspace(0, len(fixed) - 1, PICTURE_SLICES + 2)[1:-1].round().long()
            slices = fixed[positions.unique()]
            with seeded(0, self.fabric.device), self.fabric.autocast():
                self.log.show(self.step, slices, self.stage.reconstruct(slices))

    def _log_numbers(self, numbers: Mapping[str, float]) -> None:
        if self.log is not None and self.bar is not None:
            self.log.write(self.step, {**numbers, "steps_per_second": self.stopwatch.recent_rate(self.step)})
            self.bar.show(self.step, numbers, data=self.stopwatch.data_wait_fraction(self.step))

    @contextmanager
    def _logging(self) -> Iterator[None]:
        """Within the block the first rank keeps a log and shows a bar."""
        if not self.fabric.is_global_zero:
            yield
            return
        columns = [*(player.name for player in self.stage.players), "val_loss", "steps_per_second"]
        self.log = TrainingLog(log_folder(self.context.workdir, self.stage.name), columns, step=self.step)
        self.bar = StepBar(self.stage, self.step)
        try:
            yield
        finally:
            self.bar.close()
            self.log.close()

    def _record(self) -> StageRecord:
        return StageRecord(
            name=self.stage.name,
            steps=self.step,
            seconds=self.stopwatch.seconds,
            steps_per_second=self.stopwatch.rate(self.step),
            data_wait_fraction=self.stopwatch.data_wait_fraction(self.step),
            best_step=self.best.step,
            best_validation_loss=self.best.loss,
        )

    def _save(self) -> None:
        late = time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS
        if self.fabric.is_global_zero and late and self.step < self.stage.steps:
            self._write()
            self.saved_at = time.monotonic()

    def _write(self) -> None:
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        self.context.checkpoints.write(self.stage.name, {"step": self.step, **parts})

    def _load(self, state: Mapping[str, Any]) -> None:
        self.step = state["step"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        """What changes from step to step."""
        return {
            "network": self.network,
            "updates": self.updates,
            "scaler": self.fabric.strategy.precision,
            "average": self.average,
            "best": self.best,
            "stopwatch": self.stopwatch,
        }


def _stages(detector: TrainableDetector, seed: int) -> Iterator[Stage]:
    """Seed each stage's construction by its position, so that it does not depend on the stages before."""
    stages, names = detector.stages(), set[str]()
    while True:
        with seeded(mix_seed(seed, len(names)), detector.device):
            stage = next(stages, None)
        if stage is None:
            return
        if stage.name in names:
            raise ValueError(f"Got a second stage '{stage.name}', expected names that differ.")
        names.add(stage.name)
        yield stage


def _reset_loss_scale(fabric: Fabric) -> None:
    """Start the fp16 loss scale anew in every stage, whether or not the stage before was trained in this process."""
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    if scaler is not None:
        scaler.load_state_dict(torch.amp.GradScaler(fabric.device.type).state_dict())

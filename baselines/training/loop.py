"""Surroundings: what all stages of a fit share."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric
from torch import Tensor, nn

from baselines.reconstruction import SliceReconstruction
from baselines.slices.sampling import Batches, Volumes, evenly_spaced_slices
from baselines.slices.seeding import mix_seed, seeded
from baselines.training.all_reduce import over_ranks, share_buffers
from baselines.training.log import StageRecord, StepBar, TrainingLog, log_folder, write_records
from baselines.training.model_selection import KeptWeights, Validation, WeightAverage, check_finite
from baselines.training.resume import SavedStages
from baselines.training.stage import Stage
from baselines.training.timing import Stopwatch, Timetable
from baselines.training.updates import Turns
from benchmark.methods.termination import Terminated, postponed_termination


@dataclass(frozen=True)
class Surroundings:
    """Of one of the processes that train.

    Attributes:
        detector: a loss may reach all of its weights.
        batch: inputs a step, over all ranks.
        stack: neighbouring slices an input.
        fixed: `(M, stack, X, Y)` slices of the validation cases.
    """

    fabric: Fabric
    detector: nn.Module
    config: Any
    batch: int
    stack: int
    volumes: Volumes
    fixed: Tensor
    seed: int
    workdir: Path
    saved: SavedStages

    def batches(self, stage: Stage) -> Batches:
        """Of a stage; this process takes its share."""
        return Batches(
            self.volumes,
            steps=stage.steps,
            size=self.batch,
            stack=self.stack,
            augment=stage.augment,
            seed=self.seed,
            stage=stage.name,
            rank=self.fabric.global_rank,
            ranks=self.fabric.world_size,
        )


CHECKPOINT_SECONDS = 30.0  # between two of them, at least
SHOWN = 4  # slices a picture


def train_stage(around: Surroundings, stage: Stage) -> StageRecord:
    """Leave a stage's kept weights in its network: by training, or from disk where that had ended before.

    Raises:
        FloatingPointError: the validation loss, or a loss of a stage without one, is NaN or infinite.
    """
    stage.network.to(around.fabric.device)
    state = around.saved.read(stage.name)
    if "record" not in state:
        state = StageTraining(around, stage).run(state)
        if around.fabric.is_global_zero:
            around.saved.write(stage.name, state)
    stage.network.load_state_dict(state["weights"])
    stage.network.eval()
    return StageRecord(**state["record"])


class StageTraining:
    """A stage under way: its state on disk is all that the steps to come depend on."""

    def __init__(self, around: Surroundings, stage: Stage) -> None:
        fabric, config = around.fabric, around.config
        self.around, self.stage, self.fabric, self.network = around, stage, fabric, stage.network
        self.batches = around.batches(stage)
        self.validation = Validation(fabric, around.fixed, size=around.batch)
        weights = (*stage.network.parameters(), *around.detector.parameters())
        _forget_scale(fabric)
        self.turns = Turns(fabric, stage.players, weights, gradient_clip=config.gradient_clip)
        self.average = WeightAverage(stage.network, config.ema)
        self.kept = KeptWeights()
        self.watch = Stopwatch(fabric.device)
        self.timetable = Timetable(stage.steps, config.validate_every)
        self.step, self.saved_at = 0, time.monotonic()
        self.log: TrainingLog | None = None
        self.bar: StepBar | None = None

    def run(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Take the steps that are left after a saved `state`, all where it is empty; kept weights and record."""
        if state:
            self._load(state)
        self.network.train()
        with self._shown(), postponed_termination() as to_end:
            self.watch.start()
            while self.step < self.stage.steps and not self._patience_is_out():
                if to_end():
                    self._end_here()
                self._take_step()
                if self.timetable.pause(self.step):
                    with self.watch.paused():
                        self._pause()
        self.turns.forget_gradients()
        if self.stage.validation_loss is None:
            with self.average.in_place():
                self.kept.keep(self.network, self.step)
        return {"weights": self.kept.weights, "record": asdict(self._record())}

    def _take_step(self) -> None:
        timed = self.timetable.note(self.step)
        with self.watch.waiting() if timed else nullcontext():
            slices = self.batches.slices(self.step)
        with seeded(self.batches.seed(self.step), self.fabric.device):
            self.turns.take(slices, self.step)
        share_buffers(self.fabric, self.network)
        self.step += 1
        self.average.follow(self.step)

    def _end_here(self) -> None:
        """Between two steps everything is whole, so that the next fit takes the step that would have come."""
        if self.fabric.is_global_zero and self.step:
            self._write()
        raise Terminated

    def _patience_is_out(self) -> bool:
        patience = self.around.config.patience
        return patience is not None and self.kept.looks_since >= patience

    def _pause(self) -> None:
        """Look, note and save what is due after this step."""
        numbers = self._losses()
        with self._evaluating():
            if self.stage.validation_loss is not None and self.timetable.look(self.step):
                numbers["val_loss"] = self.validation.loss(self.stage.validation_loss)
                self.kept.see(self.network, numbers["val_loss"], self.step)
            if self.timetable.picture(self.step):
                self._show_slices()
        self._note(numbers)
        if self.timetable.checkpoint(self.step):
            self._save()

    def _losses(self) -> dict[str, float]:
        """Of each player's latest turn, the mean over the ranks."""
        latest = torch.stack([loss.float() for loss in self.turns.losses.values()])
        means = over_ranks(self.fabric, latest, "mean")
        losses = dict(zip(self.turns.losses, means.tolist(), strict=True))
        if self.stage.validation_loss is None:
            for name, loss in losses.items():
                check_finite(loss, f"loss '{name}'", self.step)
        return losses

    @contextmanager
    def _evaluating(self) -> Iterator[None]:
        """The averaged weights in evaluation mode."""
        self.network.eval()
        with self.average.in_place(), torch.no_grad():
            yield
        self.network.train()

    def _show_slices(self) -> None:
        if self.log is not None and self.stage.reconstruct is not None:
            positions = torch.linspace(0, len(self.around.fixed) - 1, SHOWN + 2)[1:-1].round().long()
            slices = self.around.fixed[positions.unique()]
            with seeded(0, self.fabric.device), self.fabric.autocast():
                self.log.show(self.step, slices, self.stage.reconstruct(slices))

    def _note(self, numbers: Mapping[str, float]) -> None:
        if self.log is not None and self.bar is not None:
            self.log.write(self.step, {**numbers, "steps_per_second": self.watch.recent_rate(self.step)})
            self.bar.show(self.step, numbers, data=self.watch.data_wait_fraction(self.step))

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """The first rank keeps a log and draws a bar meanwhile."""
        if not self.fabric.is_global_zero:
            yield
            return
        columns = [*(player.name for player in self.stage.players), "val_loss", "steps_per_second"]
        self.log = TrainingLog(log_folder(self.around.workdir, self.stage.name), columns, step=self.step)
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
            seconds=self.watch.seconds,
            steps_per_second=self.watch.rate(self.step),
            data_wait_fraction=self.watch.data_wait_fraction(self.step),
            best_step=self.kept.step,
            best_validation_loss=self.kept.loss,
        )

    def _save(self) -> None:
        late = time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS
        if self.fabric.is_global_zero and late and self.step < self.stage.steps:
            self._write()
            self.saved_at = time.monotonic()

    def _write(self) -> None:
        parts = {name: part.state_dict() for name, part in self._parts().items()}
        self.around.saved.write(self.stage.name, {"step": self.step, **parts})

    def _load(self, state: Mapping[str, Any]) -> None:
        self.step = state["step"]
        for name, part in self._parts().items():
            part.load_state_dict(state[name])

    def _parts(self) -> dict[str, Any]:
        """What changes from step to step."""
        return {
            "network": self.network,
            "turns": self.turns,
            "scaler": self.fabric.strategy.precision,
            "average": self.average,
            "kept": self.kept,
            "watch": self.watch,
        }


def _forget_scale(fabric: Fabric) -> None:
    """Every stage finds the loss scale of fp16 for itself, whether or not the stage before was trained just now."""
    scaler = getattr(fabric.strategy.precision, "scaler", None)
    if scaler is not None:
        scaler.load_state_dict(torch.amp.GradScaler(fabric.device.type).state_dict())


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

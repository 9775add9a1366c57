"""Training of a SliceReconstruction by Lightning, wrapped around it for the time of a fit."""

import logging
import math
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from lightning.fabric.plugins.environments.lightning import LightningEnvironment
from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar
from lightning.pytorch.callbacks.progress.tqdm_progress import Tqdm
from lightning.pytorch.loggers import CSVLogger, Logger, TensorBoardLogger
from torch import Tensor
from torch.optim import Optimizer
from torch.utils.data import DataLoader, TensorDataset

from baselines.reconstruction import SliceReconstruction, check_size
from baselines.seeding import seeded
from baselines.slices import RandomSlices, evenly_spaced_slices, hold_volumes
from datasets.case import Case

VALIDATION_SLICES = 8  # a case: neighbouring slices say nearly the same
PRECISIONS: dict[str, Literal["32-true", "bf16-mixed", "16-mixed"]] = {
    "fp32": "32-true",
    "bf16": "bf16-mixed",
    "fp16": "16-mixed",
}


def train_on_slices(
    detector: SliceReconstruction, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path
) -> None:
    """Take `config.steps` steps from the present weights; leave the best ones in `detector`.

    Best is the smallest mean loss over fixed slices of `val` under fixed randomness. Draws from
    torch's global generators; logs go to `workdir/log`. Batches run across epochs, so that each is full.

    Raises:
        ValueError: slices are not of `config.size`, a cohort is empty, or the CPU is to train in fp16.
        FloatingPointError: the validation loss is NaN or infinite.
    """
    config, device = detector.config, detector.device
    if config.precision == "fp16" and device.type == "cpu":
        raise ValueError("Got precision 'fp16' on the CPU, wanted a GPU. Available here: fp32, bf16.")
    loaders = _loaders(detector, train, val, seed)
    best = _BestWeights(detector)
    detector.train()
    with _quiet(), _repeatable_convolutions():
        _trainer(config, device, workdir, best).fit(_Training(detector), *loaders)
    detector.to(device)  # Lightning leaves a network on the CPU
    detector.load_state_dict(best.weights)


def _loaders(
    detector: SliceReconstruction, train: Sequence[Case], val: Sequence[Case], seed: int
) -> tuple[DataLoader[Tensor], DataLoader[tuple[Tensor, ...]]]:
    config = detector.config
    volumes, val_volumes = hold_volumes(train, "training"), hold_volumes(val, "validation")
    for shape in (volumes.images.shape, val_volumes.images.shape):
        check_size(shape, config.size)
    slices = RandomSlices(volumes, config.steps * config.batch_size, seed=seed, augment=config.augment)
    fixed = TensorDataset(evenly_spaced_slices(val_volumes, VALIDATION_SLICES))
    pinned = detector.device.type == "cuda"
    return (
        DataLoader(slices, config.batch_size, num_workers=_loader_workers(detector), pin_memory=pinned),
        DataLoader(fixed, config.batch_size, pin_memory=pinned),
    )


def _loader_workers(detector: SliceReconstruction) -> int:
    if detector.loader_workers is not None:
        return detector.loader_workers
    waits = detector.config.augment and detector.device.type == "cuda"
    return max((os.cpu_count() or 1) - 1, 0) if waits else 0


def _trainer(config: Any, device: torch.device, workdir: Path, best: "_BestWeights") -> Trainer:
    """One epoch of `config.steps` batches: budgets are in steps, and so is the bar."""
    interval = config.validate_every or config.steps // 20
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=[device.index] if device.type == "cuda" else 1,
        precision=PRECISIONS[config.precision],
        max_epochs=1,
        val_check_interval=min(max(interval, 1), config.steps),
        num_sanity_val_steps=0,
        logger=_loggers(workdir),
        log_every_n_steps=max(config.steps // 500, 1),
        callbacks=[best, _StepBar(refresh_rate=max(config.steps // (500 if sys.stderr.isatty() else 20), 1))],
        enable_checkpointing=False,
        enable_model_summary=False,
        default_root_dir=workdir,
        plugins=[LightningEnvironment()],  # who runs several fits on a cluster gives each one process
    )


def _loggers(workdir: Path) -> list[Logger]:
    loggers: list[Logger] = [CSVLogger(workdir, name="log", version="")]
    if find_spec("tensorboard"):
        loggers.append(TensorBoardLogger(workdir, name="log", version="", log_graph=False))
    return loggers


class _Training(LightningModule):
    """Hands a detector's loss to Lightning."""

    def __init__(self, detector: SliceReconstruction) -> None:
        super().__init__()
        self.detector = detector

    def training_step(self, slices: Tensor, _index: int) -> Tensor:
        loss = self.detector.loss(slices)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor], index: int) -> None:
        (slices,) = batch
        with seeded(index, self.device):
            loss = self.detector.loss(slices)
        self.log("val_loss", loss, prog_bar=True, batch_size=len(slices))

    def configure_optimizers(self) -> Optimizer:
        return self.detector.optimizer()


class _BestWeights(Callback):
    """The detector's weights at its smallest validation loss, held in memory."""

    def __init__(self, detector: SliceReconstruction) -> None:
        self.detector = detector
        self.loss = math.inf
        self.weights: dict[str, Tensor] = {}

    def on_validation_end(self, trainer: Trainer, _module: LightningModule) -> None:
        loss = float(trainer.callback_metrics["val_loss"])
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"Step {trainer.global_step}: got a healthy validation loss of {loss}, wanted a finite one. "
                "Try precision 'fp32' or a smaller learning rate."
            )
        if loss < self.loss:
            state = self.detector.state_dict()
            self.loss, self.weights = loss, {name: tensor.cpu().clone() for name, tensor in state.items()}


class _StepBar(TQDMProgressBar):
    """Steps done of all, losses, steps a second and time left, on one line of stderr."""

    def init_train_tqdm(self) -> Tqdm:
        return Tqdm(desc="Step", total=self.total_train_batches, file=sys.stderr, dynamic_ncols=True)

    def on_train_epoch_start(self, *args: Any) -> None:
        """The only epoch is no news."""

    def init_validation_tqdm(self) -> Tqdm:
        return Tqdm(disable=True)

    def get_metrics(self, *args: Any) -> dict[str, int | str | float | dict[str, float]]:
        metrics = super().get_metrics(*args)
        return {name: metrics[name] for name in ("loss", "val_loss") if name in metrics}


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning's announcements and advice are left out; errors and the detector's own warnings pass."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        logger.setLevel(level)


@contextmanager
def _repeatable_convolutions() -> Iterator[None]:
    """On a GPU, algorithms that add in one order: equal seeds are to give equal weights."""
    cudnn = torch.backends.cudnn
    before = cudnn.deterministic, cudnn.benchmark
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        cudnn.deterministic, cudnn.benchmark = before

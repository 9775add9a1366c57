"""TrainedOnSlices: a detector whose networks are trained on axial slices of healthy volumes."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from baselines.slices.seeding import seeded
from baselines.training.stage import RateSchedule, Stage
from benchmark.methods import Detector
from benchmark.methods.weights import round_to_half
from datasets.case import Case

TRAINING_DEPARTURES = (
    "Training slices are drawn among those between a volume's first and last slice with brain; after augmentation a "
    "volume brighter than 1 is scaled back by its brain's 99th percentile, clamped to [0, 1] and masked.",
)
"""Departures of all trained methods from the reference study, for their cards."""


QUICK: Mapping[str, Any] = {"size": 48, "steps": 400, "batch_size": 16, "learning_rate": 1e-3, "augment": False}
"""The part of a preset `quick` that does not depend on the network; ten times the paper's rate for the few steps."""
TIMED_INPUTS, TIMED_SECONDS = (1, 4, 16), 0.5  # more inputs, where a step on fewer takes less time
SMALL: Mapping[str, Any] = {
    "batch_size": 16,
    "learning_rate": 1e-3,
    "augment": False,
    "schedule": "cosine",
    "half_weights": True,
}
"""The part of a preset `small` that does not depend on the network; its `steps` take equal CPU time in all methods."""


class TrainedOnSlices(Detector):
    """Training of networks in stages, with checkpoints, validation on healthy slices and logs.

    A subclass builds its networks in `__init__`; `fit` draws their weights again under its seed.

    Attributes:
        devices: number of devices that share each training batch, set by the caller. It changes the weights: each
            slice gets other noise, and batch normalisation sees a device's share of the batch.
    """

    @dataclass(frozen=True)
    class Config:
        """Training budget; one step is one batch of slices.

        Attributes:
            size: slices are `(size, size)` pixels.
            augment: blur, bias field, gamma and ghosting by torchio's defaults, on the volume.
            precision: of the forward pass in training, by autocast.
            validate_every: steps between two validations on the healthy validation cases; None for
                twenty validations in all. The weights with the best validation loss are kept.
            patience: validations without improvement after which a training stops; None for never, since nothing
                is published about early stopping.
            ema: decay of the moving average of the weights, which is then validated and kept; None, as published,
                for the weights themselves.
            gradient_clip: largest norm of a player's gradient; None, as published, for no clipping.
            schedule: of all learning rates of a stage: constant, or half a cosine down to 0.
            half_weights: round the trained weights to float16 values before the first map, so that a file of half
                the size holds them exactly.
        """

        size: int = 96
        steps: int = 19_200
        batch_size: int = 32
        learning_rate: float = 1e-4
        precision: Literal["fp32", "bf16", "fp16"] = "fp32"
        augment: bool = True
        validate_every: int | None = None
        patience: int | None = None
        ema: float | None = None
        gradient_clip: float | None = None
        schedule: RateSchedule = "constant"
        half_weights: bool = False

        def __post_init__(self) -> None:
            for name in ("steps", "batch_size", "validate_every", "patience"):
                value = getattr(self, name)
                if value is not None and value < 1:
                    raise ValueError(f"Got {name} {value}, expected 1 or more.")
            for name in ("learning_rate", "gradient_clip"):
                value = getattr(self, name)
                if value is not None and not value > 0:
                    raise ValueError(f"Got {name} {value:g}, expected more than 0.")
            if self.ema is not None and not 0 < self.ema < 1:
                raise ValueError(f"Got ema {self.ema:g}, expected a decay between 0 and 1.")

    config: Any
    devices: int = 1

    @property
    def stack(self) -> int:
        """Neighbouring slices that make one input; 1 for a method that sees one slice at a time."""
        return 1

    def fit(self, train: Sequence[Case], val: Sequence[Case], *, seed: int, workdir: Path) -> None:
        """Draw weights, train the stages, and keep of each the weights with the best healthy validation loss.

        An interrupted fit of the same config, seed and data in `workdir` is resumed.

        Raises:
            ValueError: slices are not of `config.size`, a cohort is empty, or the devices cannot run the config.
            FloatingPointError: the validation loss is NaN or infinite.
        """
        # Lightning takes seconds to import, and nothing but training needs it.
        from baselines.training.fit import train_on_slices

        with seeded(seed, self.device):
            self.load_state_dict(self.unfitted().state_dict())
            train_on_slices(self, train, val, seed=seed, workdir=workdir)
        if self.config.half_weights:
            round_to_half(self)
        self.eval()

    @abstractmethod
    def stages(self) -> Iterator[Stage]:
        """The trainings of a fit, one after the other; each is generated when the previous one is complete."""

    def training_seconds(self) -> float | None:
        """By a forward and a backward pass of every stage's players over a few inputs of noise."""
        with torch.random.fork_rng():
            return sum(stage.steps * self._seconds_an_input(stage) for stage in self.stages()) * self.inputs_a_step

    def _seconds_an_input(self, stage: Stage) -> float:
        for count in TIMED_INPUTS:
            inputs = torch.rand(
                count, self.stack * self.input_channels, self.config.size, self.config.size, device=self.device
            )
            seconds = stage.seconds_a_step(inputs)
            if seconds > TIMED_SECONDS:
                break
        return seconds / count

    @property
    def inputs_a_step(self) -> int:
        """Inputs per step over all devices; `config.batch_size` counts slices."""
        return max(int(self.config.batch_size) // self.stack, 1)

    def check(self, shape: Sequence[int]) -> None:
        """Also refuse what the devices cannot do: fp16 on the CPU, too many GPUs, a batch that they cannot share."""
        check_size(shape, self.config.size)
        if self.stack > shape[-1]:
            raise ValueError(f"Got a stack of {self.stack} slices, expected 1..{shape[-1]}, the slices of a volume.")
        kind, gpus = self.device.type, torch.cuda.device_count()
        if self.config.precision == "fp16" and kind == "cpu":
            raise ValueError("Got precision 'fp16' on the CPU, expected a GPU. Available here: fp32, bf16.")
        if kind == "cuda" and not 1 <= self.devices <= gpus:
            raise ValueError(f"Got devices {self.devices}, expected 1..{gpus}, the GPUs here.")
        if self.devices < 1 or self.inputs_a_step % self.devices:
            raise ValueError(
                f"Got devices {self.devices}, expected a number that divides the {self.inputs_a_step} inputs of a step "
                f"(batch_size {self.config.batch_size}, {self.stack} slices an input)."
            )


def check_size(shape: Sequence[int], size: int) -> None:
    """Refuse `(..., X, Y, Z)` volumes whose slices are not `(size, size)`.

    Raises:
        ValueError: X or Y differs from `size`.
    """
    x, y = shape[-3], shape[-2]
    if (x, y) != (size, size):
        raise ValueError(f"Got slices of {x} x {y}, expected {size} x {size} (config.size).")

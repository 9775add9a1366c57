"""Time in a stage: after which steps it validates, logs and saves, and how many seconds its steps take."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

VALIDATIONS = 20
LOG_ROWS = 500
CHECKPOINTS = 20
PICTURES = 4


@dataclass(frozen=True)
class Schedule:
    """What is due after which step; steps are counted from 1, and everything is due after the last one.

    Attributes:
        steps: of the stage.
        validate_every: steps between two validations; None for twenty validations in all.
    """

    steps: int
    validate_every: int | None = None

    def validation(self, step: int) -> bool:
        return self._due(step, self.validate_every or self.steps // VALIDATIONS)

    def log_row(self, step: int) -> bool:
        return self._due(step, self.steps // LOG_ROWS)

    def picture(self, step: int) -> bool:
        return self._due(step, -(-self.steps // PICTURES))

    def checkpoint(self, step: int) -> bool:
        return self._due(step, self.steps // CHECKPOINTS)

    def any(self, step: int) -> bool:
        return self.validation(step) or self.log_row(step) or self.picture(step) or self.checkpoint(step)

    def _due(self, step: int, interval: int) -> bool:
        return step % max(interval, 1) == 0 or step == self.steps


class StepStopwatch:
    """Seconds of a stage's steps, and how many of them were spent waiting for data.

    Time in `paused` blocks does not count. The device is synchronised whenever a time is taken.

    Attributes:
        seconds: of all steps up to the last pause.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.seconds, self.begin = 0.0, 0.0
        self.waited, self.waits = 0.0, 0
        self.lap = (0, 0.0)

    def start(self) -> None:
        self.begin = self._now()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out validation, logging and checkpoints."""
        self.seconds += self._now() - self.begin
        yield
        self.start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Measure how long one step's slices take to be drawn."""
        begin = self._now()
        yield
        self.waited += self._now() - begin
        self.waits += 1

    def rate(self, steps: int) -> float:
        """Steps a second, of `steps` in all; NaN before the first pause."""
        return _quotient(steps, self.seconds)

    def recent_rate(self, steps: int) -> float:
        """Steps a second since the last call."""
        (steps_before, seconds_before), self.lap = self.lap, (steps, self.seconds)
        return _quotient(steps - steps_before, self.seconds - seconds_before)

    def data_wait_fraction(self, steps: int) -> float:
        """Share of the time of `steps` steps in which slices were drawn, estimated from the steps that were timed.

        On a GPU it is an upper bound: there the next step's slices are planned while this one is computed.
        """
        return min(_quotient(self.waited, self.waits) * self.rate(steps), 1.0)

    def state_dict(self) -> dict[str, Any]:
        return {"seconds": self.seconds, "waited": self.waited, "waits": self.waits, "lap": self.lap}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        vars(self).update(state)

    def _now(self) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _quotient(amount: float, of: float) -> float:
    return amount / of if of else math.nan

"""Stopwatch: what a stage's steps cost, and how much of that was waiting for data."""

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch


class Stopwatch:
    """Counts the seconds between `paused` blocks; the device has finished its work whenever a time is taken.

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
        """Looks, logs and checkpoints are no steps."""
        self.seconds += self._now() - self.begin
        yield
        self.start()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Times how long one step's slices take to be drawn."""
        begin = self._now()
        yield
        self.waited += self._now() - begin
        self.waits += 1

    def rate(self, steps: int) -> float:
        """Steps a second, of `steps` in all; NaN before the first pause."""
        return _quotient(steps, self.seconds)

    def recent_rate(self, steps: int) -> float:
        """Steps a second since it was last asked."""
        (steps_before, seconds_before), self.lap = self.lap, (steps, self.seconds)
        return _quotient(steps - steps_before, self.seconds - seconds_before)

    def data_wait_fraction(self, steps: int) -> float:
        """Share of the time of `steps` steps in which slices were drawn, from those that were timed.

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


LOOKS = 20
NOTES = 500
CHECKPOINTS = 20
PICTURES = 4


@dataclass(frozen=True)
class Timetable:
    """Steps are counted from 1; everything is done after the last one too.

    Attributes:
        steps: of the stage.
        look_every: steps between two looks; None for twenty looks in all.
    """

    steps: int
    look_every: int | None = None

    def look(self, step: int) -> bool:
        """At the validation slices."""
        return self._due(step, self.look_every or self.steps // LOOKS)

    def note(self, step: int) -> bool:
        """Of the losses, in the log."""
        return self._due(step, self.steps // NOTES)

    def picture(self, step: int) -> bool:
        return self._due(step, -(-self.steps // PICTURES))

    def checkpoint(self, step: int) -> bool:
        return self._due(step, self.steps // CHECKPOINTS)

    def pause(self, step: int) -> bool:
        """Any of them."""
        return self.look(step) or self.note(step) or self.picture(step) or self.checkpoint(step)

    def _due(self, step: int, interval: int) -> bool:
        return step % max(interval, 1) == 0 or step == self.steps
